package engine_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

// TestDenialOfLimitsThatAreGone: a request for no tokens is denied by the debt in its bucket. The limits that it knows were
// replaced since, and then deleted: the denial names what it was denied by.
func TestDenialOfLimitsThatAreGone(t *testing.T) {
	for _, others := range [][]engine.Limit{nil, {engine.PerDay("a", 5)}} {
		w := newWorld(t)
		other := w.limiter(w.store, nil)
		must(t, other.SetLimits(t.Context(), "user-1", "gpt-4", []engine.Limit{engine.PerDay("a", 10)}))
		must(t, mustAcquire(t, w.Limiter, ask(0)).Commit(t.Context()))
		if others == nil {
			must(t, other.SetLimits(t.Context(), "user-1", "gpt-4", []engine.Limit{engine.PerDay("a", 5)}))
		} else {
			must(t, other.DeleteLimits(t.Context(), "user-1", "gpt-4"))
		}
		lease := mustAcquire(t, other, ask(1, others...))
		must(t, lease.Adjust(engine.Tokens{"a": 20}))
		must(t, lease.Commit(t.Context()))
		if others == nil {
			must(t, other.DeleteLimits(t.Context(), "user-1", "gpt-4"))
		}
		e := mustDeny(t, w.Limiter, ask(0))
		if all := e.Statuses(); len(all) != 1 || !all[0].Exceeded || all[0].Remaining >= 0 {
			t.Errorf("denied with %+v", all)
		}
	}
}
