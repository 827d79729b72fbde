package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// sampler reads buckets again and again, a bounded number of them at a time, and tells how fast each is used.
type sampler struct {
	limiter *engine.Limiter
	now     func() time.Time
	entity  pattern
	names   pattern // of resources
	most    int     // buckets read at a time

	rested time.Time // from when on a walk may go on

	lock     sync.Mutex // of what is below: one reads, others look
	seen     map[engine.BucketName]*track
	position string    // where the walk through the namespace goes on
	round    int       // walks that were finished
	since    time.Time // when the last reading began, if that was of all buckets
	complete bool      // all buckets were read the last time
	read     int       // buckets read the last time
	reading  int       // and this time
	total    int       // buckets that the last finished walk found; those found so far while there is none
	found    int       // in this walk
}

// track is a bucket over time.
type track struct {
	engine.BucketState
	at    time.Time // when it was read
	round int       // of the walk in which it was found last
	rates *rates    // nil until it was read twice
}

func newSampler(limiter *engine.Limiter, now func() time.Time, entity, resource string, most int) *sampler {
	return &sampler{
		limiter: limiter, now: now, entity: pattern(entity), names: pattern(resource), most: most,
		seen: map[engine.BucketName]*track{},
	}
}

// take reads all buckets if they are few enough. Else half of what is read are those that were busiest, and half the
// next ones of a walk through all. Where walking takes long, for there is much else in the store, it is done a tenth of the
// time, and in between what is known is read.
func (s *sampler) take(ctx context.Context) error {
	began := s.now()
	whole := s.begin()
	if began.Before(s.rested) {
		if err := s.again(ctx, s.known()); err != nil {
			return err
		}
		s.lock.Lock()
		defer s.lock.Unlock()
		s.read = s.reading
		return nil
	}
	left, fresh := s.most, map[engine.BucketName]bool{}
	if !whole {
		names := s.busiest(s.most / 2)
		if err := s.again(ctx, names); err != nil {
			return err
		}
		for _, n := range names {
			fresh[n] = true
		}
		left -= len(names)
	}
	start := s.now()
	finished, err := s.walk(ctx, left, fresh)
	if err != nil {
		return err
	}
	end := s.now()
	s.rested = end.Add(9 * end.Sub(start))
	s.lock.Lock()
	defer s.lock.Unlock()
	s.complete, s.read, s.since = whole && finished, s.reading, time.Time{}
	if s.complete {
		s.since = began
	}
	return nil
}

// begin tells whether all buckets are few enough.
func (s *sampler) begin() (whole bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.reading = 0
	return s.position == "" && (s.round == 0 || s.total <= s.most)
}

// known are the names of all that are known, or of the busiest.
func (s *sampler) known() []engine.BucketName {
	s.lock.Lock()
	all := slices.SortedFunc(maps.Keys(s.seen), byName)
	s.lock.Unlock()
	if len(all) <= s.most {
		return all
	}
	return s.busiest(s.most)
}

// walk reads the next buckets, and tells whether it came to their end.
func (s *sampler) walk(ctx context.Context, most int, fresh map[engine.BucketName]bool) (finished bool, err error) {
	for most > 0 {
		q := engine.BucketQuery{Page: engine.Page{Size: min(most, mostPage), After: s.position}}
		if !s.entity.open() {
			q.Entity = string(s.entity)
		}
		page, err := s.limiter.Buckets(ctx, q)
		if err != nil {
			return false, err
		}
		s.note(page.Items, s.round+1, fresh)
		most -= len(page.Items)
		if s.turn(len(page.Items), page.Next) {
			return true, nil
		}
	}
	return false, nil
}

// turn notes how far the walk has come, and tells whether it came to the end.
func (s *sampler) turn(found int, next string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.found += found
	s.total = max(s.total, s.found)
	if s.position = next; next != "" {
		return false
	}
	s.round++
	s.total, s.found = s.found, 0
	// What this walk did not find is gone.
	maps.DeleteFunc(s.seen, func(_ engine.BucketName, t *track) bool { return t.round < s.round })
	return true
}

// again reads buckets that are known.
func (s *sampler) again(ctx context.Context, names []engine.BucketName) error {
	for some := range slices.Chunk(names, mostPage) {
		states, err := s.limiter.BucketStates(ctx, some)
		if err != nil {
			return err
		}
		s.note(states, 0, nil)
		s.drop(some, states)
	}
	return nil
}

// drop forgets buckets that were asked for and are not there any more.
func (s *sampler) drop(asked []engine.BucketName, there []engine.BucketState) {
	s.lock.Lock()
	defer s.lock.Unlock()
	left := map[engine.BucketName]bool{}
	for i := range there {
		left[there[i].BucketName] = true
	}
	for _, name := range asked {
		if !left[name] {
			delete(s.seen, name)
		}
	}
}

// reread reads what was read before.
func (s *sampler) reread(ctx context.Context) error {
	if s.complete {
		return s.take(ctx)
	}
	s.begin()
	err := s.again(ctx, slices.SortedFunc(maps.Keys(s.seen), byName))
	s.read = s.reading
	return err
}

// note takes readings in, without those that the walk repeats.
func (s *sampler) note(states []engine.BucketState, round int, fresh map[engine.BucketName]bool) {
	now := s.now()
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, b := range states {
		if !s.entity.matches(b.Entity) || !s.names.matches(b.Resource) {
			continue
		}
		t := s.seen[b.BucketName]
		switch {
		case t == nil:
			s.seen[b.BucketName] = &track{BucketState: b, at: now, round: round, rates: s.ratesOfNew(&b, now)}
			s.reading++
			continue
		case fresh[b.BucketName]:
			t.round = max(t.round, round)
			continue
		}
		s.reading++
		if elapsed := now.Sub(t.at); elapsed > 0 {
			t.rates = nil
			if elapsed <= mostAway {
				t.rates = ratesOf(&t.BucketState, &b, elapsed)
			}
		}
		t.BucketState, t.at, t.round = b, now, max(t.round, round)
	}
}

// busiest are the names of those that were used most of late.
func (s *sampler) busiest(most int) []engine.BucketName {
	s.lock.Lock()
	defer s.lock.Unlock()
	var names []engine.BucketName
	for name, t := range s.seen {
		if t.pace() > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b engine.BucketName) int {
		return cmp.Or(-cmp.Compare(s.seen[a].pace(), s.seen[b].pace()), byName(a, b))
	})
	return names[:min(most, len(names))]
}

// pace is by what the busiest are chosen.
func (t *track) pace() float64 {
	if t.rates == nil {
		return 0
	}
	return max(t.rates.acquires, t.rates.writes)
}

func byName(a, b engine.BucketName) int {
	return cmp.Or(strings.Compare(a.Entity, b.Entity), strings.Compare(a.Resource, b.Resource))
}
