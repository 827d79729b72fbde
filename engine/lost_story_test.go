package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestLostReplies proves that a charge whose reply was lost is not made twice, unless another write comes between, and never admits
// twice.
func TestLostReplies(t *testing.T) { tellOnEachKind(t, lostReplies, true) }

var lostReplies = stories{
	{"Acquire", lostAcquire},
	{"Converting", lostConverting},
	{"Swapping", lostSwapping},
	{"ConvertingDenied", lostConvertingDenied},
	{"AllReplies", lostAll},
	{"OtherWriterBetween", lostBetween},
	{"ForcedCharge", lostForced},
	{"CommitAgain", lostCommitAgain},
	{"SwapMeetsWriter", swapMeetsWriter},
	{"Cascade", lostCascade},
	{"Read", lostRead},
	{"Configuration", lostConfiguration},
}

// troubles are faults of a request that is then resent.
var troubles = []limitertest.Act{limitertest.Fail, limitertest.Throttle, limitertest.LoseRace, limitertest.LoseRequest, limitertest.LoseReply, limitertest.Late}

// next applies act to the next request of an operation.
func (r *story) next(op limitertest.Op, act limitertest.Act) {
	r.faults.SetPlan(limitertest.On(op, r.faults.Calls(op), act))
}

// late carries out late writes, and lets all requests pass from then on.
func (r *story) late() {
	r.faults.SetPlan(nil)
	r.faults.Release(context.WithoutCancel(r.Context()))
}

// states bring a bucket of 100 a day into all states, with at most 10 used.
var states = []struct {
	name string
	prep func(r *story, l *engine.Limiter, q engine.Request)
	used int64
}{
	{"first use", func(*story, *engine.Limiter, engine.Request) {}, 0},
	{"active", func(r *story, l *engine.Limiter, q engine.Request) { r.mustAcquire(l, q) }, 10},
	{"full again", func(r *story, l *engine.Limiter, q engine.Request) {
		r.mustAcquire(l, q)
		r.clock.advance(aDay)
	}, 0},
	{"wrong view", func(r *story, l *engine.Limiter, q engine.Request) {
		_ = r.left(l, q.Entity, q.Limits...)
		r.mustAcquire(r.limiter(), q)
	}, 10},
}

func lostAcquire(r *story) {
	for _, act := range troubles {
		for _, state := range states {
			l, limit := r.limiter(), stored("a", 100)
			q := request(tokens("a", 10), limit)
			q.Entity = fmt.Sprintf("user-%d-%.3s", act, state.name)
			state.prep(r, l, q)
			r.next(limitertest.OpApply, act)
			r.mustAcquire(l, q)
			if r.faults.Count(limitertest.OpApply, act) == 0 {
				r.Fatalf("%v befell nothing", act)
			}
			r.late()
			r.wantLeftOf(r.limiter(), q.Entity, fmt.Sprintf("%s, %v", state.name, act), fmt.Sprintf("a:%d", 90-state.used), limit)
		}
	}
}

// lostConverting loses the reply to a write that converts and charges.
func lostConverting(r *story) {
	for _, act := range troubles {
		l, now := r.limiter(), []engine.Limit{stored("a", 200), stored("b", 50)}
		q := request(tokens("a", 10), stored("a", 100))
		q.Entity = fmt.Sprintf("user-%d", act)
		r.mustAcquire(r.limiter(), q)
		q.Limits, q.Consume = now, engine.Tokens{"a": 20, "b": 30}
		r.faults.SetPlan(limitertest.On(limitertest.OpApply, r.faults.Calls(limitertest.OpApply)+1, act)) // the first one is refused
		r.mustAcquire(l, q)
		if r.faults.Count(limitertest.OpApply, act) == 0 {
			r.Fatalf("%v befell nothing", act)
		}
		r.late()
		r.wantLeftOf(r.limiter(), q.Entity, "converted and charged, "+act.String(), "a:170 b:20", now...)
	}
}

// unsettle has another process charge the bucket and refund it in turn, before each of the next three writes, so that the writer
// always guesses wrong. Before the fourth, which is a compare-and-set, it calls last. It stops when the caller calls stop.
func (r *story) unsettle(other *engine.Limiter, q engine.Request, last func()) (stop func()) {
	var held *engine.Lease
	tries, busy := 0, false
	r.faults.SetHooks(func(_ context.Context, c limitertest.Call) {
		if busy || c.Op != limitertest.OpApply {
			return
		}
		busy = true
		defer func() { busy = false }()
		switch tries++; {
		case tries > 4:
		case tries == 4:
			last()
		case held == nil:
			held = r.mustAcquire(other, q)
		default:
			r.must(held.Rollback(r.Context()))
			held = nil
		}
	}, nil)
	return func() { r.faults.SetHooks(nil, nil) }
}

// lostSwapping loses the reply to a compare-and-set, which follows three wrong guesses.
func lostSwapping(r *story) {
	for _, act := range troubles {
		l, limit := r.limiter(), stored("a", 100)
		q := request(tokens("a", 10), limit)
		q.Entity = fmt.Sprintf("user-%d", act)
		first := r.faults.Calls(limitertest.OpApply)
		r.faults.SetPlan(limitertest.On(limitertest.OpApply, first+6, act)) // three tries, each behind another process's write
		stop := r.unsettle(r.limiter(), q, func() {})
		r.mustAcquire(l, q)
		stop()
		if r.faults.Count(limitertest.OpApply, act) == 0 {
			r.Fatalf("%v befell nothing: %d writes", act, r.faults.Calls(limitertest.OpApply)-first)
		}
		r.late()
		r.wantLeftOf(r.limiter(), q.Entity, "by compare-and-set, "+act.String(), "a:80", limit)
	}
}

// swapMeetsWriter has another process take all that is left just before a compare-and-set, or reset the bucket.
func swapMeetsWriter(r *story) {
	l, other, limit := r.limiter(), r.limiter(), stored("a", 100)
	q := request(tokens("a", 10), limit)
	stop := r.unsettle(other, q, func() { r.mustAcquire(other, request(tokens("a", 90), limit)) })
	r.mustDeny(l, q)
	stop()
	r.wantLeft(r.limiter(), "all was taken before a compare-and-set", "a:0", limit)
	r.must(other.ResetBucket(r.Context(), user, api))
	fresh := r.limiter()
	stop = r.unsettle(other, q, func() {
		r.must(other.ResetBucket(r.Context(), user, api))
		r.mustAcquire(other, request(tokens("a", 50), limit))
	})
	r.mustAcquire(fresh, q)
	stop()
	r.wantLeft(r.limiter(), "reset before a compare-and-set", "a:40", limit)
}

// lostConvertingDenied loses the reply to a conversion whose request is denied: that must not look like an admission.
func lostConvertingDenied(r *story) {
	for _, act := range troubles {
		l, now := r.limiter(), stored("a", 50)
		q := request(tokens("a", 45), stored("a", 100))
		q.Entity = fmt.Sprintf("user-%d", act)
		r.mustAcquire(r.limiter(), q)
		q.Limits = []engine.Limit{now}
		r.faults.SetPlan(limitertest.On(limitertest.OpApply, r.faults.Calls(limitertest.OpApply)+1, act))
		r.mustDeny(l, q)
		r.late()
		r.wantLeftOf(r.limiter(), q.Entity, "converted and denied, "+act.String(), "a:5", now)
	}
}

// lostAll loses every reply: the outcome stays unknown, nothing is admitted, and the charge is made at most once.
func lostAll(r *story) {
	l, limit := r.limiter(), stored("a", 100)
	for i, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest, limitertest.Fail} {
		r.faults.SetPlan(limitertest.Always(act, limitertest.OpApply))
		_, err := l.Acquire(r.Context(), request(tokens("a", 10), limit))
		r.wantError("every try: "+act.String(), err, engine.ErrUnavailable)
		r.faults.SetPlan(nil)
		r.wantLeft(l, "every try: "+act.String(), fmt.Sprintf("a:%d", []int{90, 90, 90}[i]), limit)
	}
}

// lostBetween has another process write after the write whose reply is lost: the charge may be made twice, and what is admitted
// is charged.
func lostBetween(r *story) {
	l, other, limit := r.limiter(), r.limiter(), stored("a", 100)
	q := request(tokens("a", 30), limit)
	r.mustAcquire(other, request(tokens("a", 1), limit))
	calls := r.faults.Calls(limitertest.OpApply)
	r.faults.SetPlan(limitertest.On(limitertest.OpApply, calls, limitertest.LoseReply))
	r.faults.SetHooks(nil, func(_ context.Context, c limitertest.Call) {
		if c.Op == limitertest.OpApply && c.Nth == calls {
			r.mustAcquire(other, request(tokens("a", 1), limit))
		}
	})
	r.mustAcquire(l, q)
	r.faults.SetHooks(nil, nil)
	r.faults.SetPlan(nil)
	if left := r.left(l, user, limit)["a"]; left != 68 && left != 38 {
		r.Errorf("30 admitted beside 2 of another process: %d available, neither 68 nor (charged twice) 38", left)
	}
	if got := r.take(r.limiter(), q); got > 2 {
		r.Errorf("%d more of 30 were admitted", got)
	}
}

// lostForced loses the reply to a charge without token check, alone and beside a refund.
func lostForced(r *story) {
	for _, act := range troubles {
		for _, state := range states {
			l, limits := r.limiter(), []engine.Limit{stored("a", 100), stored("b", 100)}
			q := request(tokens("a", 10), limits...)
			q.Entity = fmt.Sprintf("user-%d-%.3s", act, state.name)
			state.prep(r, l, q)
			lease := r.mustAcquire(l, q)
			r.must(lease.Adjust(engine.Tokens{"a": 95, "b": 5}))
			r.next(limitertest.OpApply, act)
			r.must(lease.Commit(r.Context()))
			r.late()
			r.wantLeftOf(r.limiter(), q.Entity, fmt.Sprintf("%s, adjusted, %v", state.name, act), fmt.Sprintf("a:%d b:95", -5-state.used), limits...)
		}
	}
}

// lostCommitAgain commits again after a commit all of whose replies were lost.
func lostCommitAgain(r *story) {
	for i, act := range []limitertest.Act{limitertest.Fail, limitertest.LoseRequest, limitertest.LoseReply} {
		l, limits := r.limiter(), []engine.Limit{stored("a", 100), stored("b", 100)}
		q := request(tokens("a", 10), limits...)
		q.Entity = fmt.Sprintf("user-%d", i)
		lease := r.mustAcquire(l, q)
		r.must(lease.Adjust(engine.Tokens{"a": 5, "b": 7}))
		r.faults.SetPlan(limitertest.Always(act, limitertest.OpApply))
		r.wantError("Commit, "+act.String(), lease.Commit(r.Context()), engine.ErrUnavailable)
		r.faults.SetPlan(nil)
		r.must(lease.Commit(r.Context()))
		r.wantLeftOf(l, q.Entity, "committed again after "+act.String(), "a:85 b:93", limits...)
		r.wantError("a third Commit", lease.Commit(r.Context()), engine.ErrLeaseClosed)
	}
}

// lostCascade loses the reply of each write of a path in turn.
func lostCascade(r *story) {
	setup := r.limiter()
	r.must(setup.SetLimits(r.Context(), "parent", api, []engine.Limit{stored("a", 1000)}))
	total := int64(0)
	for _, act := range troubles {
		for nth := range 2 {
			id := fmt.Sprintf("user-%d-%d", act, nth)
			r.mustEntity(setup, engine.Entity{ID: id, Parent: "parent", Cascade: true})
			q := request(tokens("a", 10), stored("a", 100))
			q.Entity = id
			l := r.limiter()
			r.faults.SetPlan(limitertest.On(limitertest.OpApply, r.faults.Calls(limitertest.OpApply)+nth, act))
			r.mustAcquire(l, q)
			r.late()
			total += 10
			r.wantLeftOf(r.limiter(), id, fmt.Sprintf("write %d of a path, %v", nth, act), fmt.Sprintf("a:90 parent a:%d", 1000-total), q.Limits...)
		}
	}
}

// lostRead: reads that fail are resent.
func lostRead(r *story) {
	for _, act := range []limitertest.Act{limitertest.Fail, limitertest.Throttle, limitertest.LoseRequest} {
		l := r.limiter()
		r.next(limitertest.OpRead, act)
		r.mustAcquire(l, request(tokens("a", 1), stored("a", 100)))
		r.next(limitertest.OpRead, act)
		_ = r.left(l, user, stored("a", 100))
	}
	r.faults.SetPlan(nil)
	r.wantLeft(r.limiter(), "after reads that failed", "a:97", stored("a", 100))
}

// lostConfiguration changes limits and resets a bucket with faults: each change is made once.
func lostConfiguration(r *story) {
	for _, act := range troubles[:5] {
		l := r.limiter()
		r.must(l.ResetBucket(r.Context(), user, api))
		r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
		r.mustAcquire(l, request(tokens("a", 60)))
		r.next(limitertest.OpCommit, act)
		r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 200)}))
		r.wantLeft(l, "set, "+act.String(), "a:140")
		r.next(limitertest.OpCommit, act)
		r.must(l.ResetBucket(r.Context(), user, api))
		r.wantLeft(l, "reset, "+act.String(), "a:200")
	}
}
