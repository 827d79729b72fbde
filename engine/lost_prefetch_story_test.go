package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestLostWithPrefetch tells what observers hear of settlements with prefetch: Commit has returned before they are written.
func TestLostWithPrefetch(t *testing.T) {
	tellOnEachKind(t, stories{
		{"Refund", func(r *story) {
			r.settleLater(-4, engine.EventRefundLost, 4, limitertest.LoseRequest)
			r.settleLater(-4, engine.EventRefundLost, 4, limitertest.LoseReply)
		}},
		{"Charge", func(r *story) { r.settleLater(5, engine.EventUsageLost, 5, limitertest.LoseRequest) }},
		{"Certain", func(r *story) {
			r.settleLater(-4, engine.EventRefundLost, 0, limitertest.Pass)
			r.settleLater(5, engine.EventUsageLost, 0, limitertest.Pass)
		}},
		{"Along", func(r *story) {
			r.settleAlong(0, 926, limitertest.LoseReply)
			r.settleAlong(4, 922, limitertest.LoseRequest)
			r.settleAlong(4, 922, limitertest.LoseRequest, limitertest.LoseReply) // what the record shows then was sent without the refund
		}},
		{"Retired", lostWithItsDesk},
	}, true)
}

// lostWithItsDesk: the write that settles a lease finds that other limits count, and the next one, under these, cannot be made. While
// the store is away the correction waits, and is made when the store is back. It is lost if the limiter closes before that, or if
// the outcome of the write is unknown; then the observer hears of it.
func lostWithItsDesk(r *story) {
	for _, delta := range []int64{5, -4} {
		r.endDesk("waits", delta, limitertest.Fail, false, false)
		r.endDesk("closes", delta, limitertest.Fail, true, true)
		r.endDesk("unknown", delta, limitertest.LoseRequest, false, true)
	}
}

// endDesk ends a desk at which the correction of a lease waits. For a minute the store answers as act says. If the correction is lost,
// the observer must hear of it; else it must be made.
func (r *story) endDesk(what string, delta int64, act limitertest.Act, closes, lost bool) {
	r.Helper()
	r.virtually(func(r *story) {
		who := fmt.Sprintf("%s%+d", what, delta)
		l, q := r.prefetching(), request(tokens("a", 10))
		q.Entity = who
		r.must(l.SetLimits(r.Context(), who, api, []engine.Limit{stored("a", 1000)}))
		lease := r.mustAcquire(l, q)
		r.mustAcquire(l, q)
		r.wait(budget)
		r.must(r.limiter().SetLimits(r.Context(), who, api, []engine.Limit{stored("a", 2000)}))
		before := r.faults.Calls(limitertest.OpApply)
		r.faults.SetPlan(func(call limitertest.Call) limitertest.Act {
			if call.Op != limitertest.OpApply || call.Nth == before { // the first write finds that other limits count
				return limitertest.Pass
			}
			return act
		})
		r.must(lease.Adjust(tokens("a", delta)))
		r.must(lease.Commit(context.Background()))
		r.wait(time.Minute)
		if writes := r.faults.Calls(limitertest.OpApply) - before; writes < 2 || writes > 100 {
			r.Errorf("%s: %d writes within a minute", who, writes)
		}
		if closes {
			r.must(l.Close())
		}
		r.faults.SetPlan(nil)
		r.wait(longestPause)
		r.must(l.Close())

		used, kind, heard := 20+delta, engine.EventUsageLost, int64(0)
		if delta < 0 {
			kind = engine.EventRefundLost
		}
		for _, e := range r.events.of(kind) {
			if e.Entity == who {
				heard += e.Tokens["a"]
			}
		}
		if want := max(delta, -delta); lost && heard != want || !lost && heard != 0 {
			r.Errorf("%s: the observer heard of %d tokens", who, heard)
		}
		if lost {
			used = 20
		}
		all, err := r.limiter().BucketStates(r.Context(), []engine.BucketName{{Entity: who, Resource: api}})
		r.must(err)
		if s := all[0].Limits[0]; s.Used != used || s.Available != 2000-used {
			r.Errorf("%s: %+v, not %d used", who, s, used)
		}
	})
}

// settleAlong lets the write of an acquire carry the refund of a lease, and its sends go as acts say. The observer must hear of so many
// tokens, and as many as left must be left.
func (r *story) settleAlong(lost, left int64, acts ...limitertest.Act) {
	r.Helper()
	r.virtually(func(r *story) {
		l := r.prefetching()
		q := request(tokens("a", 10), stored("a", 1000))
		q.Entity = fmt.Sprintf("user-%d-%d", len(acts), acts[0])
		lease := r.mustAcquire(l, q)
		r.wait(budget)      // what the pocket had is back
		r.mustAcquire(l, q) // else the desk would be idle, and write the refund at once
		r.must(lease.Adjust(tokens("a", -4)))
		r.must(lease.Commit(context.Background()))
		before := len(r.events.of(engine.EventRefundLost))
		r.plan(acts...)
		q.Consume = tokens("a", 58)
		r.mustAcquire(l, q)
		r.faults.SetPlan(nil)
		r.must(l.Close())
		var heard int64
		for _, e := range r.events.of(engine.EventRefundLost)[before:] {
			heard += e.Tokens["a"]
		}
		if heard != lost {
			r.Errorf("%v: the observer heard of %d tokens, not of %d", acts, heard, lost)
		}
		r.wantLeftOf(r.limiter(), q.Entity, fmt.Sprint(acts), fmt.Sprintf("a:%d", left), q.Limits...)
	})
}

// prefetching is a limiter with prefetch and the budget of these stories, on a clock that goes on with virtual time.
func (r *story) prefetching() *engine.Limiter {
	r.Helper()
	began := time.Now()
	return r.limiter(sleeping, func(o *engine.Options) {
		o.Now = func() time.Time { return r.clock.Now().Add(time.Since(began)) }
		o.Prefetch, o.Timeout = &engine.PrefetchOptions{}, budget
	})
}

// settleLater commits a lease that was adjusted by delta. The write that settles it goes as act says, and later ones fail until
// its budget is over. The observer must hear of so many tokens.
func (r *story) settleLater(delta int64, kind engine.EventKind, lost int64, act limitertest.Act) {
	r.Helper()
	r.virtually(func(r *story) {
		l := r.prefetching()
		lease := r.mustAcquire(l, request(tokens("a", 10), stored("a", 1000)))
		r.mustAcquire(l, request(tokens("a", 10), stored("a", 1000)))
		r.wait(budget) // what the pocket had is back
		before, first := len(r.events.of(kind)), true
		r.faults.SetPlan(func(call limitertest.Call) limitertest.Act {
			switch {
			case call.Op != limitertest.OpApply, act == limitertest.Pass:
				return limitertest.Pass
			case first:
				first = false
				return act
			}
			return limitertest.Fail
		})
		r.must(lease.Adjust(tokens("a", delta)))
		r.must(lease.Commit(context.Background()))
		r.wait(2 * budget)
		r.faults.SetPlan(nil)
		var heard int64
		for _, e := range r.events.of(kind)[before:] {
			if heard += e.Tokens["a"]; e.Entity != user || e.Resource != api || e.Err == nil {
				r.Errorf("%v: %+v", act, e)
			}
		}
		if heard != lost {
			r.Errorf("%+d, %v: the observer heard of %d tokens, not of %d", delta, act, heard, lost)
		}
		r.must(l.Close())
	})
}
