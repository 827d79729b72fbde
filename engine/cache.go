package engine

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

// bucketID names a bucket within the limiter's namespace.
type bucketID struct{ entity, resource string }

// ways is how many handles a set of the cache holds.
const ways = 8

// cache remembers the handles of the buckets used most: set-associative, each handle in one of two sets, the least
// recently used of a full set making room (by one bit a handle, as processor caches do it). Readers take no lock. It
// begins small and doubles up to its size. Safe for concurrent use. A general cache with its own policy and expiry costs
// three times as much per look-up, which is a fifth of an acquire on the memory store.
type cache struct {
	seed  maphash.Seed
	most  int        // sets
	lock  sync.Mutex // of writers
	table atomic.Pointer[[]cacheSet]
}

// cacheSet is a few handles whose hashes agree in some bits. Tags and slots stand in a line of the processor each.
type cacheSet struct {
	tags   [ways]atomic.Uint32 // of the hash; 0: empty
	recent atomic.Uint32       // by way: used of late
	_      [28]byte
	slots  [ways]atomic.Pointer[handle]
}

// firstSets is how many sets a cache begins with.
const firstSets = 32

// newCache makes a cache for size handles, rounded up to a power of two.
func newCache(size int) *cache {
	c := &cache{seed: maphash.MakeSeed(), most: 1 << bits.Len(uint((size-1)/ways))}
	sets := make([]cacheSet, min(c.most, firstSets))
	c.table.Store(&sets)
	return c
}

// place is the tag of an id, never 0, and its two sets.
func (c *cache) place(sets []cacheSet, id *bucketID) (tag uint32, a, b *cacheSet) {
	hash := maphash.String(c.seed, id.entity) + bits.RotateLeft64(maphash.String(c.seed, id.resource), 17)
	mask := uint64(len(sets) - 1)
	return uint32(hash>>32) | 1, &sets[hash&mask], &sets[(hash>>20^hash)*0x9e3779b97f4a7c15>>32&mask]
}

// get finds a handle, nil where it is not remembered.
func (c *cache) get(id *bucketID) *handle {
	tag, a, b := c.place(*c.table.Load(), id)
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
	c.lock.Lock()
	defer c.lock.Unlock()
	if first := c.get(&h.id); first != nil {
		return first
	}
	for {
		sets := *c.table.Load()
		tag, a, b := c.place(sets, &h.id)
		for _, s := range []*cacheSet{a, b} {
			if way, empty := s.room(); empty {
				s.put(way, tag, h)
				return h
			}
		}
		if len(sets) < c.most {
			c.growLocked(sets)
			continue
		}
		way, emptied := c.yieldLocked(sets, a)
		if !emptied {
			way, _ = a.room()
		}
		a.put(way, tag, h)
		return h
	}
}

// yieldLocked empties a way of a full set by moving its handle to that one's other set, if any of them has room there.
// Without that a cache would lose handles long before it is full. A reader who meets the move may miss the handle, and
// then asks add.
func (c *cache) yieldLocked(sets []cacheSet, s *cacheSet) (way int, emptied bool) {
	for i := range s.slots {
		h := s.slots[i].Load()
		tag, other, b := c.place(sets, &h.id)
		if other == s {
			other = b
		}
		if to, empty := other.room(); empty {
			other.put(to, tag, h)
			s.slots[i].Store(nil)
			return i, true
		}
	}
	return 0, false
}

// growLocked doubles the table. A reader who still looks at the old one misses what comes after, and then asks add.
func (c *cache) growLocked(old []cacheSet) {
	sets := make([]cacheSet, 2*len(old))
	for i := range old {
		for j := range old[i].slots {
			h := old[i].slots[j].Load()
			if h == nil {
				continue
			}
			tag, a, b := c.place(sets, &h.id)
			way, empty := a.room()
			if !empty {
				if other, room := b.room(); room {
					a, way = b, other
				}
			}
			a.put(way, tag, h)
		}
	}
	c.table.Store(&sets)
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
	c.lock.Lock()
	defer c.lock.Unlock()
	sets := *c.table.Load()
	for i := range sets {
		for j := range sets[i].slots {
			if h := sets[i].slots[j].Load(); h != nil && matches(h) {
				h.forget()
			}
		}
	}
}
