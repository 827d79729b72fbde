package otellimit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// Of ten thousand ids the ten that make half of the events have time series, and few others do.
func TestTop(t *testing.T) {
	entity, random := otellimit.Top(10), rand.New(rand.NewPCG(1, 2))
	shown, other := map[string]int{}, 0
	for range 100_000 {
		id := fmt.Sprint("busy-", random.IntN(10))
		if random.IntN(2) == 0 {
			id = fmt.Sprint("rare-", random.IntN(10_000))
		}
		switch got := entity(id); got {
		case id:
			shown[id]++
		case "_other":
			other++
		default:
			t.Fatalf("%q for %q", got, id)
		}
	}
	for i := range 10 {
		if n := shown[fmt.Sprint("busy-", i)]; n < 4_000 { // of 5,000
			t.Errorf("busy-%d was shown %d times", i, n)
		}
	}
	if len(shown) > 12 || other < 48_000 {
		t.Errorf("%d ids are shown, and %d events are of others: %v", len(shown), other, shown)
	}
}

// Ids that become busy later get time series too, but not without end, and where all are rare none has one.
func TestTopIsBounded(t *testing.T) {
	entity, shown := otellimit.Top(2), map[string]bool{}
	for day := range 20 {
		for n := range 10_000 {
			for _, id := range []string{fmt.Sprint("busy-", day), fmt.Sprint("rare-", n)} {
				if entity(id) == id {
					shown[id] = true
				}
			}
		}
	}
	if len(shown) != 8 || !shown["busy-1"] {
		t.Errorf("shown are %v", shown)
	}
	rare := otellimit.Top(2)
	for n := range 100_000 {
		if id := fmt.Sprint(n % 1000); rare(id) != "_other" {
			t.Fatalf("%q is one of a thousand that come equally often", id)
		}
	}
}

// The busiest are those of the last hours, however many events there were before. An id that is no longer one of them is forgotten.
func TestTopForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entity := otellimit.Top(1)
		hour := func(busy string, calls int) (shown int) {
			wait(t, time.Hour)
			for n := range calls {
				if entity(busy) == busy {
					shown++
				}
				entity(fmt.Sprint("rare-", n))
			}
			return shown
		}
		for range 10 {
			hour("first", 20_000)
		}
		for day := range 4 {
			busy, shown := fmt.Sprint("busy-", day), 0
			for range 24 {
				shown += hour(busy, 2_000)
			}
			if shown < 20*2_000 {
				t.Errorf("day %d: it was shown %d times of %d", day, shown, 24*2_000)
			}
			for before := range day {
				if id := fmt.Sprint("busy-", before); entity(id) != "_other" {
					t.Errorf("day %d: %s is still shown", day, id)
				}
			}
		}
	})
}

// The observer takes it: the others of a resource share a time series.
func TestTopEntities(t *testing.T) {
	observer, read := observe(t, &otellimit.Options{Entity: otellimit.Top(1)})
	for n := range 10_000 {
		for _, id := range []string{"busy", fmt.Sprint("rare-", n)} {
			observer.Observe(engine.Event{Kind: engine.EventDecision, Entity: id, Resource: "api", Allowed: true})
		}
	}
	got := read()
	busy, others := got["decisions{entity=busy,outcome=admitted,resource=api,source=store}"], got["decisions{entity=_other,outcome=admitted,resource=api,source=store}"]
	if busy < 9_000 || busy+others != 20_000 {
		t.Error(got)
	}
}

// Any k is one that Top can count for.
func TestTopOfAny(t *testing.T) {
	for _, k := range []int{math.MinInt, 0, 1, math.MaxInt} {
		entity := otellimit.Top(k)
		for range 2000 {
			entity("busy")
		}
		if got := entity("busy"); got != "busy" {
			t.Errorf("of the %d busiest, the only id is %q", k, got)
		}
	}
}
