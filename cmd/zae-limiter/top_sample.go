package main

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// sampler reads buckets repeatedly, a bounded number of them at a time, and computes rates.
type sampler struct {
	limiter  *engine.Limiter
	now      func() time.Time
	entity   *regexp.Regexp
	resource *regexp.Regexp
	only     string // the only entity that can match; empty if several can
	maxRead  int    // maximum number of buckets in one reading

	walkAfter time.Time // when the walk may continue

	lock     sync.Mutex // guards the fields below: one goroutine reads buckets, others draw
	tracks   map[engine.BucketName]*bucketTrack
	position string    // where the walk through the namespace continues
	walks    int       // number of finished walks
	since    time.Time // start of the last reading, if it included all buckets
	complete bool      // the last reading included all buckets
	read     int       // number of buckets in the last reading
	reading  int       // number of buckets in this reading
	total    int       // number of buckets found by the last finished walk, or so far by the first
	found    int       // number of buckets found by this walk
}

// bucketTrack is the last reading of a bucket, with its rates.
type bucketTrack struct {
	engine.BucketState
	readAt   time.Time // time of the reading
	lastWalk int       // number of the last walk that found it
	rates    *rates    // nil before the second reading
}

func newSampler(limiter *engine.Limiter, now func() time.Time, entity, resource string, most int) *sampler {
	s := &sampler{
		limiter: limiter, now: now, entity: namePattern(entity), resource: namePattern(resource), maxRead: most,
		tracks: map[engine.BucketName]*bucketTrack{},
	}
	if !strings.Contains(entity, "*") {
		s.only = entity
	}
	return s
}

// sample reads all buckets if there are at most maxRead. Otherwise half of the reading are the busiest buckets, and half the
// next ones of a walk through all. If walking is slow, because the store has many other records, it takes a tenth of the time
// at most, and the other readings are of known buckets.
func (s *sampler) sample(ctx context.Context) error {
	began := s.now()
	whole := s.startReading()
	if began.Before(s.walkAfter) {
		if err := s.readBuckets(ctx, s.knownNames()); err != nil {
			return err
		}
		s.lock.Lock()
		defer s.lock.Unlock()
		s.read = s.reading
		return nil
	}
	left, fresh := s.maxRead, map[engine.BucketName]bool{}
	if !whole {
		names := s.busiest(s.maxRead / 2)
		if err := s.readBuckets(ctx, names); err != nil {
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
	s.walkAfter = end.Add(9 * end.Sub(start))
	s.lock.Lock()
	defer s.lock.Unlock()
	s.complete, s.read, s.since = whole && finished, s.reading, time.Time{}
	if s.complete {
		s.since = began
	}
	return nil
}

// startReading resets the counter and reports whether one reading can include all buckets.
func (s *sampler) startReading() (whole bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.reading = 0
	return s.position == "" && (s.walks == 0 || s.total <= s.maxRead)
}

// knownNames returns the names of all known buckets, or, if there are too many, of the busiest.
func (s *sampler) knownNames() []engine.BucketName {
	s.lock.Lock()
	all := slices.SortedFunc(maps.Keys(s.tracks), byName)
	s.lock.Unlock()
	if len(all) <= s.maxRead {
		return all
	}
	return s.busiest(s.maxRead)
}

// walk reads the next buckets, at most limit, and reports whether it reached the end.
func (s *sampler) walk(ctx context.Context, limit int, fresh map[engine.BucketName]bool) (finished bool, err error) {
	for limit > 0 {
		q := engine.BucketQuery{Entity: s.only, Page: engine.Page{Size: min(limit, maxPageSize), After: s.position}}
		page, err := s.limiter.Buckets(ctx, q)
		if err != nil {
			return false, err
		}
		s.add(page.Items, s.walks+1, fresh)
		limit -= len(page.Items)
		if s.advanceWalk(len(page.Items), page.Next) {
			return true, nil
		}
	}
	return false, nil
}

// advanceWalk records the position of the walk, and reports whether it reached the end.
func (s *sampler) advanceWalk(found int, next string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.found += found
	s.total = max(s.total, s.found)
	if s.position = next; next != "" {
		return false
	}
	s.walks++
	s.total, s.found = s.found, 0
	// Buckets that this walk did not find no longer exist.
	maps.DeleteFunc(s.tracks, func(_ engine.BucketName, t *bucketTrack) bool { return t.lastWalk < s.walks })
	return true
}

// readBuckets reads buckets by name.
func (s *sampler) readBuckets(ctx context.Context, names []engine.BucketName) error {
	for page := range slices.Chunk(names, maxPageSize) {
		states, err := s.limiter.BucketStates(ctx, page)
		if err != nil {
			return err
		}
		s.add(states, 0, nil)
		s.drop(page, states)
	}
	return nil
}

// drop removes the buckets that were requested and no longer exist.
func (s *sampler) drop(requested []engine.BucketName, found []engine.BucketState) {
	s.lock.Lock()
	defer s.lock.Unlock()
	exists := map[engine.BucketName]bool{}
	for i := range found {
		exists[found[i].BucketName] = true
	}
	for _, name := range requested {
		if !exists[name] {
			delete(s.tracks, name)
		}
	}
}

// reread reads the known buckets a second time, or all of them if the first reading was complete.
func (s *sampler) reread(ctx context.Context) error {
	if s.complete {
		return s.sample(ctx)
	}
	s.startReading()
	err := s.readBuckets(ctx, slices.SortedFunc(maps.Keys(s.tracks), byName))
	s.read = s.reading
	return err
}

// add stores readings, except for buckets that this reading already has (fresh).
func (s *sampler) add(states []engine.BucketState, round int, fresh map[engine.BucketName]bool) {
	now := s.now()
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, b := range states {
		if !s.entity.MatchString(b.Entity) || !s.resource.MatchString(b.Resource) {
			continue
		}
		t := s.tracks[b.BucketName]
		switch {
		case t == nil:
			s.tracks[b.BucketName] = &bucketTrack{BucketState: b, readAt: now, lastWalk: round, rates: s.ratesOfNew(&b, now)}
			s.reading++
			continue
		case fresh[b.BucketName]:
			t.lastWalk = max(t.lastWalk, round)
			continue
		}
		s.reading++
		if elapsed := now.Sub(t.readAt); elapsed > 0 {
			t.rates = nil
			if elapsed <= maxReadingGap {
				t.rates = ratesOf(&t.BucketState, &b, elapsed)
			}
		}
		t.BucketState, t.readAt, t.lastWalk = b, now, max(t.lastWalk, round)
	}
}

// busiest returns the names of the buckets with the highest rates, at most limit.
func (s *sampler) busiest(limit int) []engine.BucketName {
	s.lock.Lock()
	defer s.lock.Unlock()
	var names []engine.BucketName
	for name, t := range s.tracks {
		if t.activity() > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b engine.BucketName) int {
		return cmp.Or(-cmp.Compare(s.tracks[a].activity(), s.tracks[b].activity()), byName(a, b))
	})
	return names[:min(limit, len(names))]
}

// activity returns the rate by which the busiest buckets are chosen.
func (t *bucketTrack) activity() float64 {
	if t.rates == nil {
		return 0
	}
	return max(t.rates.acquires, t.rates.writes)
}

func byName(a, b engine.BucketName) int {
	return cmp.Or(strings.Compare(a.Entity, b.Entity), strings.Compare(a.Resource, b.Resource))
}
