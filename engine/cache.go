package engine

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/prefetch"
)

// bucketID names a bucket within the limiter's namespace.
type bucketID struct{ entity, resource string }

// cache remembers the handles of the buckets used most: set-associative, each handle in one of two sets, the least
// recently used of a full set making room (by one bit a handle, as processor caches do it). Readers take no lock. It
// begins small and doubles up to its size. Safe for concurrent use. A general cache with its own policy and expiry costs
// three times as much per look-up, which is a fifth of an acquire on the memory store.
type cache struct {
	seed  maphash.Seed
	store backend.Prefetcher // nil: asked for nothing
	most  int                // sets
	lock  sync.Mutex         // of writers
	table atomic.Pointer[[]cacheSet]
}

// firstSets is how many sets a cache begins with.
const firstSets = 32

// newCache makes a cache for size handles, rounded up to a power of two.
func newCache(size int, store backend.Backend) *cache {
	c := &cache{seed: maphash.MakeSeed(), most: 1 << bits.Len(uint((size-1)/ways))}
	c.store, _ = store.(backend.Prefetcher)
	sets := make([]cacheSet, min(c.most, firstSets))
	c.table.Store(&sets)
	return c
}

// place is the tag of an id, never 0, and its two sets.
func (c *cache) place(sets []cacheSet, id *bucketID) (tag uint64, a, b *cacheSet) {
	hash := maphash.String(c.seed, id.entity) + bits.RotateLeft64(maphash.String(c.seed, id.resource), 17)
	mask := uint64(len(sets) - 1)
	return hash>>48 | 1, &sets[hash&mask], &sets[(hash>>20^hash)*0x9e3779b97f4a7c15>>32&mask]
}

// get finds a handle, nil where it is not remembered.
func (c *cache) get(id *bucketID) *handle {
	h, all := c.reach(id)
	return c.confirm(h, all, id)
}

// reached is where else a handle may be than where it probably is.
type reached struct {
	tag  uint64
	a, b *cacheSet
}

// reach gives the handle that probably is the bucket's, nil if there is none, and asks the processor for it and for its
// record at once: with many buckets both are far away. The caller has something else to do, and then asks confirm.
func (c *cache) reach(id *bucketID) (*handle, reached) {
	tag, a, b := c.place(*c.table.Load(), id)
	prefetch.Four(a)
	s, found := a, a.tagged(tag)
	if found == 0 {
		s, found = b, b.tagged(tag)
	}
	if found == 0 {
		return nil, reached{tag, a, b}
	}
	way := bits.TrailingZeros32(found)
	h := s.slots[way].Load()
	prefetch.Two(h)
	if c.store != nil {
		c.store.Prefetch(s.memos[way].Load())
	}
	if s.recent.Load()>>way&1 == 0 {
		s.recent.Or(1 << way)
	}
	return h, reached{tag, a, b}
}

// confirm is h where that is the bucket's, else the bucket's handle; nil where it is not remembered.
func (c *cache) confirm(h *handle, all reached, id *bucketID) *handle {
	if h != nil && h.id == *id {
		return h
	}
	for _, s := range [...]*cacheSet{all.a, all.b} {
		for found := s.tagged(all.tag); found != 0; found &= found - 1 {
			way := bits.TrailingZeros32(found)
			if h := s.slots[way].Load(); h != nil && h.id == *id {
				s.recent.Or(1 << way)
				return h
			}
		}
	}
	return nil
}

// note keeps the memo of a handle where it is found together with the handle.
func (c *cache) note(h *handle, memo any) {
	_, a, b := c.place(*c.table.Load(), &h.id)
	for _, s := range [...]*cacheSet{a, b} {
		for way := range s.slots {
			if s.slots[way].Load() == h {
				s.memos[way].Store(memo)
			}
		}
	}
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
