package engine

import (
	"math/rand/v2"
	"testing"
)

// TestTaggedFindsAll: every way that has the tag is told, also with its neighbours one higher or lower, and hardly any
// other.
func TestTaggedFindsAll(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	wrong, told := 0, 0
	for range 100_000 {
		var s cacheSet
		tags := [ways]uint64{}
		tag := random.Uint64N(1<<16) | 1
		for way := range tags {
			switch random.IntN(4) {
			case 0:
				tags[way] = tag
			case 1: // what a borrow from the lane before might make of it
				tags[way] = (tag + 1 - 2*random.Uint64N(2)) & 0xffff
			case 2:
				tags[way] = random.Uint64N(1 << 16)
			}
			s.put(way, tags[way], &handle{})
		}
		found := s.tagged(tag)
		if found>>ways != 0 {
			t.Fatalf("ways beyond the last: %b", found)
		}
		for way := range tags {
			got, want := found>>way&1 == 1, tags[way] == tag
			if want && !got {
				t.Fatalf("%x in %x: way %d is left out of %b", tag, tags, way, found)
			}
			if told++; got != want {
				wrong++
			}
		}
	}
	if wrong > told/20 {
		t.Errorf("%d of %d ways are told wrongly", wrong, told)
	}
}

// TestCacheLearnsMemos: a set's memo follows that of the handle, which another bucket may have had there before.
func TestCacheLearnsMemos(t *testing.T) {
	asked := &asking{}
	c := newCache(64, asked)
	for i := range 1_000 {
		id := idOf(i)
		h := c.add(newHandle(&id, "", c))
		memo := &struct{ n int }{i}
		h.remember(memo)
		c.get(&id)
		if c.get(&id); asked.last != any(memo) {
			t.Fatalf("bucket %d: the store is asked for %v", i, asked.last)
		}
	}
}
