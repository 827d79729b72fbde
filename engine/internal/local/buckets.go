package local

import (
	"slices"
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// ID names a bucket.
type ID struct{ Entity, Resource string }

// Buckets are the local buckets of a process. Safe for concurrent use.
type Buckets struct {
	share Share
	most  int

	lock    sync.Mutex
	shared  map[*limitset.Set]*limitset.Set // the limits of local buckets, by the configured ones
	all     map[ID]*state
	owing   int      // how many are in the queue or being written back: they cannot be dropped
	queue   []*state // those that owe the store something and are not being written back, first come first
	writing bool     // somebody calls Next until it returns nil
}

// New returns no buckets yet, and at most so many later.
func New(share Share, most int) *Buckets {
	return &Buckets{share: share, most: most, shared: map[*limitset.Set]*limitset.Set{}, all: map[ID]*state{}}
}

// Limits returns the limits of a local bucket whose bucket in the store has those of set.
func (b *Buckets) Limits(set *limitset.Set) *limitset.Set {
	b.lock.Lock()
	defer b.lock.Unlock()
	own := b.shared[set]
	if own == nil {
		if len(b.shared) >= limitset.MostCached {
			clear(b.shared)
		}
		own = b.share.Of(set)
		b.shared[set] = own
	}
	return own
}

// Charge is one bucket's part in an acquire.
type Charge struct {
	ID
	Configured *limitset.Set      // the limits of the bucket in the store
	Limits     *limitset.Set      // those of the local bucket: Buckets.Limits of Configured
	Need       []int64            // tokens, by position
	Tats       *limitset.Arrivals // Take sets them: the arrival times after it, by position
}

// Verdict is what Take decides.
type Verdict uint8

// The verdicts.
const (
	Denied   Verdict = iota // some bucket has not enough
	Admitted                // all buckets are charged
	Full                    // there is no room for another bucket, or for another limit of one
)

// Take charges all buckets of a path, or none. acquire says whether it counts as an acquire: then it does in each bucket, as in the
// store, unless it takes nothing of any. If start is true, the caller calls Next until it returns nil, now or later.
func (b *Buckets) Take(now int64, path []Charge, acquire bool) (v Verdict, start bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.owing < len(b.all) && slices.ContainsFunc(path, func(c Charge) bool { return b.all[c.ID] == nil }) {
		b.makeRoomLocked(now) // before the path's own are made, which are full
	}
	v = Admitted
	states := make([]*state, 0, len(path))
	defer func() {
		for _, s := range states {
			start = b.putLocked(now, s) || start
		}
	}()
	for i := range path {
		c := &path[i]
		s := b.findLocked(c.ID)
		if s == nil {
			return Full, false
		}
		states = append(states, s)
		if !s.adopt(now, c.Configured, c.Limits) {
			return Full, false
		}
		if !s.admits(now, c.Need) {
			v = Denied
		}
	}
	acquires := int64(0)
	if acquire && slices.ContainsFunc(path, func(c Charge) bool { return slices.Max(c.Need) > 0 }) {
		acquires = 1
	}
	for i, s := range states {
		if v == Admitted {
			s.take(now, path[i].Need, acquires)
		}
		for j := range path[i].Need {
			path[i].Tats[j] = s.accounts[j].at
		}
	}
	return v, start
}

// Settle charges a bucket without the token check, or refunds to it, by the names in delta: positive amounts are charged. It
// does nothing if a limit would get beyond the range of debt, and then returns its name. Limits that neither the bucket nor
// limits has are left out. start is that of Take.
func (b *Buckets) Settle(now int64, id ID, configured, limits *limitset.Set, delta map[string]int64) (beyond string, start bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	s := b.all[id]
	if s == nil { // it was full and owed nothing; the lease, which exists, may make it again beyond the bound
		s = b.addLocked(id)
		s.adopt(now, configured, limits)
	}
	for name, n := range delta {
		if a := s.account(name, configured, limits); a != nil && a.exceedsDebt(now, n) {
			return name, b.putLocked(now, s)
		}
	}
	for name, n := range delta {
		if a := s.account(name, configured, limits); a != nil {
			a.settle(now, n)
		}
	}
	return "", b.putLocked(now, s)
}

// mostTried is how many buckets makeRoomLocked looks at: those that can be dropped do not become more.
const mostTried = 3

// makeRoomLocked drops some buckets that new ones would equal. A range over a map begins anywhere.
func (b *Buckets) makeRoomLocked(now int64) {
	tried := 0
	for _, s := range b.all {
		if tried++; tried > mostTried {
			return
		}
		b.dropLocked(now, s)
	}
}

// findLocked finds or makes a bucket, nil if there is no room.
func (b *Buckets) findLocked(id ID) *state {
	if s := b.all[id]; s != nil || len(b.all) >= b.most {
		return s
	}
	return b.addLocked(id)
}

func (b *Buckets) addLocked(id ID) *state {
	s := &state{id: id}
	b.all[id] = s
	return s
}

// dropLocked drops a bucket that a new one would equal.
func (b *Buckets) dropLocked(now int64, s *state) {
	if s.rests(now) {
		delete(b.all, s.id)
	}
}

// putLocked puts a bucket into the queue if it owes something, or drops it if it is as new. It reports whether the caller is the one
// who has to call Next.
func (b *Buckets) putLocked(now int64, s *state) (start bool) {
	if s.sending || s.queued {
		return false
	}
	if !s.owes() {
		b.dropLocked(now, s)
		return false
	}
	s.queued = true
	b.owing++
	b.queue = append(b.queue, s)
	start = !b.writing
	b.writing = true
	return start
}
