package otellimit_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// same is an Options.Entity that returns each id.
func same(id string) string { return id }

// wait lets the time of a test pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	if err := pause.For(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// An entity that has no event for an hour has no series any more, and comes back with new ones. What has no entity stays.
func TestForgetsEntities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer, read := observe(t, &otellimit.Options{Entity: same})
		admit := func(entity string) {
			e := admission("api", engine.Tokens{"rpm": 2})
			e.Entity = entity
			observer.Observe(e)
		}
		for _, kind := range []engine.EventKind{engine.EventDegraded, engine.EventRefundLost, engine.EventContention, engine.EventDecision} {
			observer.Observe(engine.Event{Kind: kind, Entity: "a", Resource: "api", Limit: "rpm", Denier: "a", Tokens: engine.Tokens{"rpm": 1}})
		}
		admit("a")
		for range 3 {
			admit("others")
			if got := read(); got["tokens{entity=a,limit=rpm,resource=api}"] != 2 {
				t.Fatal(got)
			}
			wait(t, 20*time.Minute)
		}
		admit("others")
		of := func(entity string, n float64) map[string]float64 {
			return map[string]float64{
				"decisions{entity=" + entity + ",outcome=admitted,resource=api,source=store}":         n,
				"decision.attempts{entity=" + entity + ",outcome=admitted,resource=api,source=store}": n,
				"tokens{entity=" + entity + ",limit=rpm,resource=api}":                                2 * n,
				"events{kind=contention}": 1,
			}
		}
		equal(t, read(), of("others", 4))
		wait(t, 2*time.Hour)
		admit("a")
		equal(t, read(), of("a", 1))
		admit("a")
		equal(t, read(), of("a", 2))
	})
}

// The series of entities that are forgotten make room for others.
func TestForgottenSeriesMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer, read := observe(t, &otellimit.Options{Entity: same, MaxSeries: 3})
		for day := range 10 {
			for i := range 3 {
				observer.Observe(engine.Event{Kind: engine.EventDegraded, Entity: fmt.Sprint(day, "-", i), Resource: "api"})
			}
			want := map[string]float64{}
			for i := range 3 {
				want[fmt.Sprintf("degraded{entity=%d-%d,resource=api}", day, i)] = 1
			}
			equal(t, read(), want)
			wait(t, 24*time.Hour)
			equal(t, read(), map[string]float64{})
		}
	})
}

// What comes after entities were forgotten is counted, also if many goroutines observed while they were.
func TestForgetsWhileCounting(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			observer, read := observe(t, &otellimit.Options{Entity: same})
			all := func(times int) {
				for range times {
					for i := range 10 { // each in another slot of what was found lately
						e := admission("api", engine.Tokens{"rpm": 1})
						e.Entity = strings.Repeat("x", i+1)
						observer.Observe(e)
					}
				}
			}
			all(1)
			read()
			wait(t, time.Hour)
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() { all(10) })
			}
			group.Go(func() { read() })
			group.Wait()
			before := read()
			all(1)
			after := read()
			for i := range 10 {
				for _, name := range []string{"decisions{entity=%s,outcome=admitted,resource=api,source=store}", "tokens{entity=%s,limit=rpm,resource=api}"} {
					if name = fmt.Sprintf(name, strings.Repeat("x", i+1)); after[name] != before[name]+1 {
						t.Errorf("%s is %v after one event more than %v", name, after[name], before[name])
					}
				}
			}
		})
	}
}
