package aggregator_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// A request that removes the usage of a deleted bucket takes effect late, after usage of a new bucket was counted by a clock that is
// behind. It must not remove that usage.
func TestUsageIsRemovedLate(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c := clockAt(noon)
		faults := limitertest.NewFault(s, nil)
		a, l := aggregatorOver(t, faults, aggregator.Options{}), limiterOver(t, s, c)
		ask := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{rpm}}
		use := func() {
			_, err := l.Allow(t.Context(), ask)
			must(t, err)
		}
		use()
		first := feed(t, s)
		must(t, l.DeleteEntity(t.Context(), "e", nil)) // nothing was counted yet
		deletion := feed(t, s)
		equal(t, "counted late", a.Process(t.Context(), first, noon).Snapshots, 2)
		faults.SetPlan(limitertest.Always(limitertest.Late, limitertest.OpApply))
		equal(t, "failed", len(a.Process(t.Context(), deletion, noon).Failed), 1)
		faults.SetPlan(nil)
		c.advance(-5 * time.Minute)
		use()
		use()
		again := append(deletion, feed(t, s)...)
		equal(t, "report", a.Process(t.Context(), again, noon), aggregator.Report{Counted: 2, Snapshots: 2, Removed: 2})
		if faults.Waiting() == 0 {
			t.Fatal("nothing is late")
		}
		faults.Release(t.Context())
		equal(t, "usage", allUsage(t, l, engine.UsageQuery{Entity: "e", Window: engine.WindowDaily}, 10), []string{"e r daily 2040-05-30T00:00+24h0m0s rpm=2 q=2"})
	})
}

// A snapshot that includes more of the deleted bucket while it is being removed is removed all the same.
func TestUsageGrowsWhileItIsRemoved(t *testing.T) {
	s := inMemory(t)
	l, a := limiterOver(t, s, clockAt(noon)), aggregatorOver(t, s, aggregator.Options{})
	for range 2 {
		_, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{rpm}})
		must(t, err)
	}
	must(t, l.DeleteEntity(t.Context(), "e", nil))
	all := feed(t, s)
	a.Process(t.Context(), all[:1], noon)
	faults := limitertest.NewFault(s, nil)
	faults.SetHooks(func(_ context.Context, c limitertest.Call) {
		if c.Op == limitertest.OpApply && c.Nth == 0 {
			a.Process(t.Context(), all[1:2], noon)
		}
	}, nil)
	equal(t, "report", aggregatorOver(t, faults, aggregator.Options{}).Process(t.Context(), all[2:], noon), aggregator.Report{Removed: 2})
	equal(t, "left", len(allUsage(t, l, engine.UsageQuery{Entity: "e", Window: engine.WindowDaily}, 10)), 0)
}

// If the store reports the time of a removal, it does not matter how late it is processed: a deletion removes the usage, an expiry
// does not.
func TestDeletionMetLate(t *testing.T) {
	for what, c := range map[string]struct {
		after time.Duration
		want  aggregator.Report
	}{
		"deleted": {time.Minute, aggregator.Report{}},
		"expired": {48 * time.Hour, aggregator.Report{Counted: 1, Snapshots: 2}},
	} {
		s := inMemory(t)
		l, a := limiterOver(t, s, clockAt(noon)), aggregatorOver(t, s, aggregator.Options{})
		_, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{rpm}})
		must(t, err)
		must(t, l.DeleteEntity(t.Context(), "e", nil))
		all := feed(t, s)
		for i := range all {
			all[i].At = noon.Add(c.after).Unix()
		}
		equal(t, what, a.Process(t.Context(), all, noon.Add(72*time.Hour)), c.want)
	}
}

// A snapshot that is written more often than the store allows is written later, in the same batch.
func TestStoreIsTooSlow(t *testing.T) {
	s, refusals := inMemory(t), 3
	throttled := backend.Wrap(s, &backend.WrapOptions{Around: func(ctx context.Context, _ backend.Call, next func(context.Context) error) error {
		if refusals--; refusals >= 0 {
			return fmt.Errorf("%w: a hot partition", backend.ErrThrottled)
		}
		return next(ctx)
	}})
	change := bucketChange("a", noon.UnixNano(), noon.UnixNano(), packed(rpm), 1)
	equal(t, "report", aggregatorOver(t, throttled, aggregator.Options{}).Process(t.Context(), []backend.Change{change}, noon),
		aggregator.Report{Counted: 1, Snapshots: 2})
}
