package otellimit

import (
	"container/heap"
	"math"
	"slices"
	"sync"
)

const (
	countersPerID = 10      // for each id that Top shows at a time
	rankEvery     = 1 << 10 // calls
)

// Top returns a function for Options.Entity that returns the id of an entity if it is one of the k busiest, and "_other" if not.
// An id that was one of them is returned for ever, because its time series goes on; once there are 4·k such ids, there are no
// more, so that the number of time series is bounded. k is at least 1. Safe for concurrent use.
//
// Ids are counted by the algorithm Space-Saving (Metwally, Agrawal and El Abbadi 2005): with 10·k counters it finds every id that
// makes more than one event in 10·k. Ids that make fewer are never among the busiest.
func Top(k int) func(id string) string {
	k = max(k, 1)
	t := &top{k: k, counts: map[string]*counted{}, shown: map[string]bool{}, least: math.MaxInt64}
	return t.entity
}

// top counts the busiest ids.
type top struct {
	lock   sync.Mutex
	k      int
	counts map[string]*counted
	lowest lowest
	calls  int64
	least  int64 // events that make an id one of the k busiest
	shown  map[string]bool
}

// counted is how often an id came: n times at most, and n − over at least.
type counted struct {
	id      string
	n, over int64
	place   int // in lowest
}

func (t *top) entity(id string) string {
	t.lock.Lock()
	defer t.lock.Unlock()
	c := t.count(id)
	if t.calls++; t.calls%rankEvery == 0 {
		t.rank()
	}
	if !t.shown[id] {
		if c.n-c.over < t.least || len(t.shown) >= 4*t.k {
			return "_other"
		}
		t.shown[id] = true
	}
	return id
}

// count counts an id. If it has no counter, it takes the lowest one and goes on from there: so often it may have come before.
func (t *top) count(id string) *counted {
	c := t.counts[id]
	switch {
	case c != nil:
	case len(t.counts) < countersPerID*t.k:
		c = &counted{id: id}
		t.counts[id] = c
		heap.Push(&t.lowest, c)
	default:
		c = t.lowest[0]
		delete(t.counts, c.id)
		c.id, c.over = id, c.n
		t.counts[id] = c
	}
	c.n++
	heap.Fix(&t.lowest, c.place)
	return c
}

// rank finds how many events make an id one of the k busiest, and more than one in 10·k.
func (t *top) rank() {
	var sure []int64
	for _, c := range t.lowest {
		sure = append(sure, c.n-c.over)
	}
	slices.Sort(sure)
	t.least = max(sure[max(0, len(sure)-t.k)], t.calls/int64(countersPerID*t.k)+1)
}

// lowest is a heap of counters, the lowest first.
type lowest []*counted

func (h lowest) Len() int           { return len(h) }
func (h lowest) Less(i, j int) bool { return h[i].n < h[j].n }
func (h lowest) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *lowest) Push(x any) {
	c := x.(*counted)
	c.place = len(*h)
	*h = append(*h, c)
}

// Pop is part of the interface, but counters stay.
func (h *lowest) Pop() any { return nil }
