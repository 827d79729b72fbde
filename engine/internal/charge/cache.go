package charge

import (
	"hash/maphash"
	"sync"
)

// ID names a bucket within the limiter's namespace.
type ID struct{ Entity, Resource string }

// A large cache has many parts, so that callers on different buckets rarely wait for each other. A small one has few: a
// part drops states when it is full, however many the others have.
const (
	mostShards = 64
	perShard   = 512                // states, at least
	odd        = 0x9E3779B97F4A7C15 // spreads a hash over all bits
)

// Cache remembers the states of the buckets used most, up to a bound. A full part drops a state that was not used
// since the part last looked for one. No library, because a look-up needs no bookkeeping of a policy, and expiry is the
// configuration's own. Safe for concurrent use.
type Cache struct {
	seed   maphash.Seed
	shards []cacheShard
}

type cacheShard struct {
	lock   sync.Mutex
	most   int
	states map[uint64]*State // by hash
}

// newCache makes a cache for size states, at least one.
func newCache(size int) *Cache {
	n := 1
	for n < mostShards && 2*n*perShard <= size {
		n *= 2
	}
	c := &Cache{seed: maphash.MakeSeed(), shards: make([]cacheShard, n)}
	for i := range c.shards {
		c.shards[i].most, c.shards[i].states = (size+n-1)/n, make(map[uint64]*State)
	}
	return c
}

// find returns the shard of a bucket, and the hash under which the shard has its state. If two buckets ever have the same
// hash, the cache remembers one of them at a time.
func (c *Cache) find(id *ID) (*cacheShard, uint64) {
	hash := maphash.String(c.seed, id.Entity)*odd + maphash.String(c.seed, id.Resource)
	return &c.shards[hash&uint64(len(c.shards)-1)], hash // as many as a power of two
}

// Get returns the state of a bucket, or nil if it is not remembered.
func (c *Cache) Get(id *ID) *State {
	s, hash := c.find(id)
	s.lock.Lock()
	b := s.states[hash]
	s.lock.Unlock()
	if b == nil || b.ID != *id {
		return nil
	}
	if !b.used.Load() {
		b.used.Store(true)
	}
	return b
}

// add remembers b, and returns what is remembered now: b, or a state of the same bucket that came first.
func (c *Cache) add(b *State) *State {
	s, hash := c.find(&b.ID)
	s.lock.Lock()
	defer s.lock.Unlock()
	if first := s.states[hash]; first != nil {
		if first.ID == b.ID {
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

func (s *cacheShard) dropLocked(hash uint64, b *State) {
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

// Forget makes the states that match read their configuration again.
func (c *Cache) Forget(matches func(*State) bool) {
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
