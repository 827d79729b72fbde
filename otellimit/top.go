package otellimit

import (
	"container/heap"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	countersPerID = 10      // for each id that Top shows at a time
	mostShown     = 1 << 27 // the number of counters fits into an int of 32 bits
	rankEvery     = 1 << 10 // calls
	halfLife      = time.Hour
	shownFor      = time.Hour
)

// Top returns a function for Options.Entity that returns the id of an entity if it is one of the k busiest of the last hours, and
// "_other" if not. Which ids these are is found out after every 1,024 events, so that the first ones are all "_other". An id that is
// no longer one of them is returned for another hour. At most 4·k ids are returned at a time, so that the number of time series is
// bounded. k is at least 1; one above 2^27 counts as 2^27. Safe for concurrent use.
//
// Ids are counted by the algorithm Space-Saving (Metwally, Agrawal and El Abbadi 2005): with 10·k counters it finds every id that
// makes more than one event in 10·k. Ids that make fewer are never among the busiest. Each hour all counts are halved, so that the
// last events weigh most (as in Cormode, Korn and Tirthapura 2008).
func Top(k int) func(id string) string {
	k = min(max(k, 1), mostShown)
	now := systemClock()
	t := &top{k: k, counts: map[string]*counted{}, shown: map[string]time.Time{}, least: math.MaxInt64, ranked: now, halved: now}
	return t.entity
}

// top counts the busiest ids.
type top struct {
	lock     sync.Mutex
	k        int
	counts   map[string]*counted
	lowest   lowest
	events   int64 // in all, halved as the counts are
	unranked int   // calls since ranked
	least    int64 // events that make an id one of the k busiest

	shown          map[string]time.Time // when each was one of the k busiest last
	ranked, halved time.Time            // when that was done last
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
	t.events++
	if t.unranked++; t.unranked == rankEvery {
		t.rank(systemClock())
	}
	if _, shown := t.shown[id]; !shown {
		if c.sure() < t.least || len(t.shown) >= 4*t.k {
			return "_other"
		}
		t.shown[id] = t.ranked
	}
	return id
}

// sure is how often the id came at least.
func (c *counted) sure() int64 { return c.n - c.over }

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

// rank finds how many events make an id one of the k busiest, and more than one in 10·k, and forgets ids that no longer are.
func (t *top) rank(now time.Time) {
	t.unranked, t.ranked = 0, now
	if since := now.Sub(t.halved).Truncate(halfLife); since > 0 {
		t.halve(int(since / halfLife))
		t.halved = t.halved.Add(since)
	}
	var sure []int64
	for _, c := range t.lowest {
		sure = append(sure, c.sure())
	}
	slices.Sort(sure)
	t.least = max(sure[max(0, len(sure)-t.k)], t.events/int64(countersPerID*t.k)+1)
	for _, c := range t.lowest {
		if _, shown := t.shown[c.id]; shown && c.sure() >= t.least {
			t.shown[c.id] = now
		}
	}
	maps.DeleteFunc(t.shown, func(_ string, last time.Time) bool { return now.Sub(last) > shownFor })
}

// halve halves all counts a number of times, which leaves their order as it is.
func (t *top) halve(times int) {
	t.events >>= times
	for _, c := range t.lowest {
		c.n, c.over = c.n>>times, c.over>>times
	}
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
