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
	perShard   = 512                // states, at least
	odd        = 0x9E3779B97F4A7C15 // spreads a hash over all bits
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
	states map[uint64]*bucketState // by hash
}

// newCache makes a cache for size states, at least one.
func newCache(size int) *cache {
	n := 1
	for n < mostShards && 2*n*perShard <= size {
		n *= 2
	}
	c := &cache{seed: maphash.MakeSeed(), shards: make([]cacheShard, n)}
	for i := range c.shards {
		c.shards[i].most, c.shards[i].states = (size+n-1)/n, make(map[uint64]*bucketState)
	}
	return c
}

// find returns the shard of a bucket, and the hash under which the shard has its state. If two buckets ever have the same
// hash, the cache remembers one of them at a time.
func (c *cache) find(id *bucketID) (*cacheShard, uint64) {
	hash := maphash.String(c.seed, id.entity)*odd + maphash.String(c.seed, id.resource)
	return &c.shards[hash&uint64(len(c.shards)-1)], hash // as many as a power of two
}

// get returns the state of a bucket, or nil if it is not remembered.
func (c *cache) get(id *bucketID) *bucketState {
	s, hash := c.find(id)
	s.lock.Lock()
	b := s.states[hash]
	s.lock.Unlock()
	if b == nil || b.id != *id {
		return nil
	}
	if !b.used.Load() {
		b.used.Store(true)
	}
	return b
}

// add remembers b, and returns what is remembered now: b, or a state of the same bucket that came first.
func (c *cache) add(b *bucketState) *bucketState {
	s, hash := c.find(&b.id)
	s.lock.Lock()
	defer s.lock.Unlock()
	if first := s.states[hash]; first != nil {
		if first.id == b.id {
			return first
		}
		s.dropLocked(hash, first)
	}
	for len(s.states) >= s.most {
		s.dropUnusedLocked()
	}
	s.states[hash] = b
	return b
}

func (s *cacheShard) dropLocked(hash uint64, b *bucketState) {
	b.dropped.Store(true)
	delete(s.states, hash)
}

// dropUnusedLocked drops one state that was not used since it was last looked at. A range over a map begins anywhere.
func (s *cacheShard) dropUnusedLocked() {
	for hash, b := range s.states {
		if !b.used.Swap(false) {
			s.dropLocked(hash, b)
			return
		}
	}
}

// forget makes the states that match read their configuration again.
func (c *cache) forget(matches func(*bucketState) bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.lock.Lock()
		for _, b := range s.states {
			if matches(b) {
				b.forget()
			}
		}
		s.lock.Unlock()
	}
}
