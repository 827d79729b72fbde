package engine

import (
	"hash/maphash"
	"sync"
)

// bucketID names a bucket within the limiter's namespace.
type bucketID struct{ entity, resource string }

// A large cache has many parts, so that callers on different buckets rarely wait for each other. A small one has few: a
// part drops states when it is full, however many the others have.
const (
	mostShards = 64
	perShard   = 512 // states, at least
)

// cache remembers the states of the buckets used most, up to a bound. A full part drops a state that was not used
// since the part last looked for one. No library, because a look-up needs no bookkeeping of a policy, and expiry is the
// configuration's own. Safe for concurrent use.
type cache struct {
	seed   maphash.Seed
	shards []cacheShard
}

type cacheShard struct {
	lock   sync.Mutex
	most   int
	states map[bucketID]*bucketState
}

// newCache makes a cache for size states, at least one.
func newCache(size int) *cache {
	n := min(max(size/perShard, 1), mostShards)
	c := &cache{seed: maphash.MakeSeed(), shards: make([]cacheShard, n)}
	for i := range c.shards {
		c.shards[i].most, c.shards[i].states = (size+n-1)/n, make(map[bucketID]*bucketState)
	}
	return c
}

func (c *cache) shard(id *bucketID) *cacheShard {
	return &c.shards[maphash.Comparable(c.seed, *id)%uint64(len(c.shards))]
}

// get finds a state, nil where it is not remembered.
func (c *cache) get(id *bucketID) *bucketState {
	s := c.shard(id)
	s.lock.Lock()
	h := s.states[*id]
	s.lock.Unlock()
	if h != nil && !h.used.Load() {
		h.used.Store(true)
	}
	return h
}

// add remembers h, and returns what is remembered now: h, or a state that came first.
func (c *cache) add(h *bucketState) *bucketState {
	s := c.shard(&h.id)
	s.lock.Lock()
	defer s.lock.Unlock()
	if first := s.states[h.id]; first != nil {
		return first
	}
	for len(s.states) >= s.most {
		s.dropLocked()
	}
	s.states[h.id] = h
	return h
}

// dropLocked drops one state that was not used since it was last looked at. A range over a map begins anywhere.
func (s *cacheShard) dropLocked() {
	for id, h := range s.states {
		if !h.used.Swap(false) {
			h.dropped.Store(true)
			delete(s.states, id)
			return
		}
	}
}

// forget makes the states that match read their configuration again.
func (c *cache) forget(matches func(*bucketState) bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.lock.Lock()
		for _, h := range s.states {
			if matches(h) {
				h.forget()
			}
		}
		s.lock.Unlock()
	}
}
