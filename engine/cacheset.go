package engine

import (
	"math/bits"
	"sync/atomic"
)

// ways is how many handles a set of the cache holds.
const ways = 8

// cacheSet is a few handles whose hashes agree in some bits: four lines of the processor's cache, in which tags, slots and
// memos stand apart.
type cacheSet struct {
	tags   [ways / tagLanes]atomic.Uint64 // of 16 bits of the hash each; 0: empty
	recent atomic.Uint32                  // by way: used of late
	_      [44]byte
	slots  [ways]atomic.Pointer[handle]
	memos  [ways]atomic.Value // of the handles in slots, perhaps not their newest
}

// Tags are compared several at a time, in the lanes of a word: a loop that ends at another way each time would be
// guessed wrong by the processor each time.
const (
	tagLanes = 4
	each     = 0x0001_0001_0001_0001 // one in each lane
	highest  = each << 15
)

// tagged tells the ways that have the tag, by bit. Some may be told wrongly, none is left out.
func (s *cacheSet) tagged(tag uint64) (found uint32) {
	for i := range s.tags {
		x := s.tags[i].Load() ^ tag*each // a lane that is zero has the tag
		zero := (x - each) &^ x & highest
		found |= uint32(zero*(1<<0|1<<15|1<<30|1<<45)>>60) << (i * tagLanes)
	}
	return found
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

// put is called by one at a time.
func (s *cacheSet) put(way int, tag uint64, h *handle) {
	if recent := s.recent.Load() | 1<<way; recent == 1<<ways-1 {
		s.recent.Store(1 << way) // all were used of late: a new round begins
	} else {
		s.recent.Store(recent)
	}
	if memo := h.memo.Load(); memo != nil {
		s.memos[way].Store(memo)
	}
	if old := s.slots[way].Swap(h); old != nil {
		old.dropped.Store(true)
	}
	word, shift := &s.tags[way/tagLanes], way%tagLanes*16
	word.Store(word.Load()&^(0xffff<<shift) | tag<<shift)
}
