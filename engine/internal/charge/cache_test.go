package charge

import (
	"fmt"
	"sync"
	"testing"
)

func idOf(i int) ID { return ID{fmt.Sprintf("user-%d", i), "gpt-4"} }

func TestCacheKeepsUpToItsSize(t *testing.T) {
	c := newCache(4096)
	handles := make([]*State, 3000)
	for i := range handles {
		handles[i] = &State{ID: idOf(i)}
		if got := c.add(handles[i]); got != handles[i] {
			t.Fatalf("adding %v gave the handle of %v", handles[i].ID, got.ID)
		}
	}
	lost := 0
	for i, h := range handles {
		id := idOf(i)
		switch c.Get(&id) {
		case h:
		case nil:
			lost++
			if !h.dropped.Load() {
				t.Errorf("%v is not remembered, and not marked as dropped", id)
			}
		default:
			t.Fatalf("%v is found as another", id)
		}
	}
	if lost > 0 {
		t.Errorf("%d of 3,000 handles are lost in a cache for 4,096", lost)
	}
}

// One entity with many resources finds as much room as many entities.
func TestCacheOfOneEntity(t *testing.T) {
	c := newCache(100_000)
	id := func(i int) ID { return ID{"tenant", fmt.Sprintf("resource-%d", i)} }
	for i := range 5_000 {
		c.add(&State{ID: id(i)})
	}
	for i := range 5_000 {
		if one := id(i); c.Get(&one) == nil {
			t.Fatalf("%v is not remembered in a cache for 100,000", one)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(64)
	for i := range 10_000 {
		c.add(&State{ID: idOf(i)})
	}
	n := 0
	c.Forget(func(*State) bool { n++; return false })
	if n > 64 {
		t.Errorf("%d handles are remembered in a cache for 64", n)
	}
	last := idOf(9_999)
	if c.Get(&last) == nil {
		t.Error("the handle that came last is not remembered")
	}
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache(64)
	hot := idOf(-1)
	first := c.add(&State{ID: hot})
	for i := range 1_000 {
		c.add(&State{ID: idOf(i)})
		if c.Get(&hot) != first {
			t.Fatalf("a handle used all the time was dropped after %d others", i+1)
		}
	}
}

func TestCacheOneHandleForAll(t *testing.T) {
	c := newCache(1 << 12)
	var group sync.WaitGroup
	seen := make([][]*State, 8)
	for g := range seen {
		seen[g] = make([]*State, 2_000)
		group.Go(func() {
			for i := range seen[g] {
				id := idOf(i)
				if seen[g][i] = c.Get(&id); seen[g][i] == nil {
					seen[g][i] = c.add(&State{ID: id})
				}
			}
		})
	}
	group.Wait()
	for i := range seen[0] {
		for g := range seen {
			if h := seen[g][i]; h != seen[0][i] && !h.dropped.Load() && !seen[0][i].dropped.Load() {
				t.Fatalf("two handles for %v are remembered at once", h.ID)
			}
		}
	}
}
