package engine

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// bucketID names a bucket within the limiter's namespace.
type bucketID struct{ entity, resource string }

// ways is how many handles a set of the cache holds.
const ways = 8

// cache remembers the handles of the buckets used most: set-associative, each handle in one of two sets, the least
// recently used of a full set making room (by one bit a handle, as processor caches do it). Readers take no lock.
// Safe for concurrent use. A general cache with its own policy and expiry costs three times as much per look-up, which
// is a third of an acquire on the memory store.
type cache struct {
	seed maphash.Seed
	sets []cacheSet
}

type cacheSet struct {
	tags   [ways]atomic.Uint32 // of the hash; 0: empty
	recent atomic.Uint32       // by way: used of late
	lock   spin.Lock           // of writers
	slots  [ways]atomic.Pointer[handle]
}

// newCache makes a cache for size handles, rounded up to a power of two.
func newCache(size int) *cache {
	sets := 1 << bits.Len(uint((size-1)/ways))
	return &cache{seed: maphash.MakeSeed(), sets: make([]cacheSet, sets)}
}

// place is the tag of an id, never 0, and its two sets.
func (c *cache) place(id *bucketID) (tag uint32, a, b *cacheSet) {
	hash := maphash.String(c.seed, id.entity) + bits.RotateLeft64(maphash.String(c.seed, id.resource), 17)
	mask := uint64(len(c.sets) - 1)
	return uint32(hash>>32) | 1, &c.sets[hash&mask], &c.sets[(hash>>20^hash)*0x9e3779b97f4a7c15>>32&mask]
}

// get finds a handle, nil where it is not remembered.
func (c *cache) get(id *bucketID) *handle {
	tag, a, b := c.place(id)
	if h := a.find(tag, id); h != nil {
		return h
	}
	return b.find(tag, id)
}

func (s *cacheSet) find(tag uint32, id *bucketID) *handle {
	for i := range s.tags {
		if s.tags[i].Load() != tag {
			continue
		}
		h := s.slots[i].Load()
		if h != nil && h.id == *id {
			if s.recent.Load()>>i&1 == 0 {
				s.recent.Or(1 << i)
			}
			return h
		}
	}
	return nil
}

// add remembers h, and returns what is remembered now: h, or a handle that came first.
func (c *cache) add(h *handle) *handle {
	tag, a, b := c.place(&h.id)
	a.lock.Lock()
	defer a.lock.Unlock()
	if first := a.find(tag, &h.id); first != nil {
		return first
	}
	if a != b {
		if first := b.find(tag, &h.id); first != nil {
			return first
		}
		if i, room := b.room(); room && !a.hasRoom() && b.lock.TryLock() {
			defer b.lock.Unlock()
			if i, room = b.room(); room {
				b.put(i, tag, h)
				return h
			}
		}
	}
	i, _ := a.room()
	a.put(i, tag, h)
	return h
}

func (s *cacheSet) hasRoom() bool {
	_, room := s.room()
	return room
}

// room is an empty way, or, with false, one to be emptied.
func (s *cacheSet) room() (way int, empty bool) {
	for i := range s.slots {
		if s.slots[i].Load() == nil {
			return i, true
		}
	}
	recent := s.recent.Load()
	if recent == 1<<ways-1 {
		recent = 0
	}
	return bits.TrailingZeros32(^recent), false
}

func (s *cacheSet) put(way int, tag uint32, h *handle) {
	if recent := s.recent.Load() | 1<<way; recent == 1<<ways-1 {
		s.recent.Store(1 << way) // all were used of late: a new round begins
	} else {
		s.recent.Store(recent)
	}
	if old := s.slots[way].Swap(h); old != nil {
		old.dropped.Store(true)
	}
	s.tags[way].Store(tag)
}

// forget makes the handles that match read their configuration anew.
func (c *cache) forget(matches func(*handle) bool) {
	for i := range c.sets {
		for j := range c.sets[i].slots {
			if h := c.sets[i].slots[j].Load(); h != nil && matches(h) {
				h.forget()
			}
		}
	}
}
