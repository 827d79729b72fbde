package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestSettling proves that a lease is settled as its caller asked for, whatever becomes of the context of its request, and also if
// the outcome of an earlier write is unknown, or the bucket was reset.
func TestSettling(t *testing.T) { tellOnEachKind(t, settlings, false) }

var settlings = stories{
	{"ContextEnded", settleEnded},
	{"ContextEndsMeanwhile", settleEndsMeanwhile},
	{"ContextEndedOnPath", settleEndedOnPath},
	{"UnknownThenMore", slowly(unknownThenMore)},
	{"UnknownThenConsume", slowly(unknownThenConsume)},
	{"UnknownTwice", slowly(unknownTwice)},
	{"UnknownThenRollback", slowly(unknownThenRollback)},
	{"UnknownOvertaken", slowly(unknownOvertaken)},
	{"UnknownThenReset", slowly(unknownThenReset)},
	{"UnknownTooLate", slowly(unknownTooLate)},
	{"UnknownConsume", slowly(unknownConsume)},
	{"UnknownOnPath", slowly(unknownOnPath)},
	{"UnknownConsumeOnPath", slowly(unknownConsumeOnPath)},
	{"ResetThenLess", resetThenLess},
	{"ResetParentThenLess", resetParentThenLess},
	{"DroppedThenLess", droppedThenLess},
}

// slowly tells a story over a store that may lose replies or hang.
func slowly(tell func(*story)) func(*story) {
	return func(r *story) {
		if r.io { // a store without I/O does neither
			tell(r)
		}
	}
}

// ends are the ways in which the context of a request ends before its lease is settled.
var ends = []struct {
	name string
	end  func(context.Context) (context.Context, context.CancelFunc)
}{
	{"cancelled", context.WithCancel},
	{"overdue", func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, -1) }},
}

// settlements are what leases of 10 a do, and what is used then of a and b.
var settlements = []struct {
	name   string
	adjust engine.Tokens
	settle func(context.Context, *engine.Lease) error
	a, b   int64
}{
	{"Commit of more", tokens("a", 900), func(ctx context.Context, s *engine.Lease) error { return s.Commit(ctx) }, 910, 0},
	{"Commit of less", tokens("a", -4), func(ctx context.Context, s *engine.Lease) error { return s.Commit(ctx) }, 6, 0},
	{"Commit of both", engine.Tokens{"a": -4, "b": 7}, func(ctx context.Context, s *engine.Lease) error { return s.Commit(ctx) }, 6, 7},
	{"Flush of more", tokens("a", 900), func(ctx context.Context, s *engine.Lease) error { return s.Flush(ctx) }, 910, 0},
	{"Flush of less", tokens("a", -4), func(ctx context.Context, s *engine.Lease) error { return s.Flush(ctx) }, 6, 0},
	{"Release", nil, func(ctx context.Context, s *engine.Lease) error { return s.Release(ctx, tokens("a", 4)) }, 6, 0},
	{"Rollback", tokens("a", 900), func(ctx context.Context, s *engine.Lease) error { return s.Rollback(ctx) }, 0, 0},
}

// eachSettlement makes each settlement, on an entity of its own. spoil may end the context.
func (r *story) eachSettlement(name string, spoil func(context.Context) (context.Context, context.CancelFunc)) {
	limits := []engine.Limit{stored("a", 500), stored("b", 500)}
	l := r.limiter()
	for i, s := range settlements {
		q := request(tokens("a", 10), limits...)
		q.Entity = fmt.Sprintf("%.9s-%d", name, i)
		lease := r.mustAcquire(l, q)
		r.must(lease.Adjust(s.adjust))
		ctx, cancel := spoil(r.Context())
		if err := s.settle(ctx, lease); err != nil {
			r.Errorf("%s, context %s: %v", s.name, name, err)
		}
		cancel()
		r.faults.SetHooks(nil, nil)
		r.wantLeftOf(r.limiter(), q.Entity, fmt.Sprintf("%s, context %s", s.name, name), fmt.Sprintf("a:%d b:%d", 500-s.a, 500-s.b), limits...)
	}
	if lost := r.events.of(engine.EventRefundLost); len(lost) > 0 {
		r.Errorf("context %s: reported as lost: %+v", name, lost)
	}
}

// settleEnded: each call and Do charge what was used and refund what was not, although ctx has ended.
func settleEnded(r *story) {
	for _, e := range ends {
		r.eachSettlement(e.name, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ended, cancel := e.end(ctx)
			cancel()
			return ended, cancel
		})
	}
	limit := engine.PerMinute("tpm", 500)
	for i, adjust := range []int64{900, -60} {
		q := request(tokens("tpm", 100), limit)
		q.Entity = fmt.Sprintf("doing-%d", i)
		ctx, cancel := context.WithCancel(r.Context())
		r.must(r.limiter().Do(ctx, q, func(_ context.Context, s *engine.Lease) error {
			cancel()
			return s.Adjust(tokens("tpm", adjust))
		}))
		r.wantLeftOf(r.limiter(), q.Entity, "Do of a function that cancels", fmt.Sprintf("tpm:%d", 400-adjust), limit)
	}
}

// settleEndsMeanwhile ends the context when the write reaches the store.
func settleEndsMeanwhile(r *story) {
	r.eachSettlement("cancelled-meanwhile", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ends, cancel := context.WithCancel(ctx)
		r.faults.SetHooks(func(_ context.Context, c limitertest.Call) {
			if c.Op == limitertest.OpApply {
				cancel()
			}
		}, nil)
		return ends, cancel
	})
}

func settleEndedOnPath(r *story) {
	l := r.limiter()
	r.family(l, 3)
	ctx, cancel := context.WithCancel(r.Context())
	r.must(l.Do(ctx, request(tokens("a", 10)), func(_ context.Context, s *engine.Lease) error {
		cancel()
		return s.Adjust(tokens("a", 100))
	}))
	r.wantLeft(r.limiter(), "Do on a path", "a:-10 parent-1 a:90 parent-2 a:190")
	lease := r.mustAcquire(l, engine.Request{Entity: "parent-1", Resource: api, Consume: tokens("a", 50)})
	r.must(lease.Release(ctx, tokens("a", 50)))
	r.wantLeft(r.limiter(), "Release on a path", "a:-10 parent-1 a:90 parent-2 a:190")
}

// unknowns are faults of all writes of a call, whether it has charged then, and whether its outcome is unknown.
var unknowns = []struct {
	act     limitertest.Act
	charged bool
	unknown bool
}{{limitertest.LoseReply, true, true}, {limitertest.LoseRequest, false, true}, {limitertest.Late, false, true}, {limitertest.Fail, false, false}}

// flushLost acquires 10 a, adjusts by 50, and flushes with an act on each attempt.
func (r *story) flushLost(l *engine.Limiter, q engine.Request, act limitertest.Act) *engine.Lease {
	r.Helper()
	lease := r.mustAcquire(l, q)
	r.must(lease.Adjust(tokens("a", 50)))
	r.faults.SetPlan(limitertest.Always(act, limitertest.OpApply))
	r.wantError("Flush, "+act.String(), lease.Flush(r.Context()), engine.ErrUnavailable)
	r.faults.SetPlan(nil)
	if got := amounts(lease.Consumed()); got != "a:60" {
		r.Errorf("%v: Consumed is %s, not a:60", act, got)
	}
	return lease
}

// unknownThenMore adjusts again after a flush of unknown outcome: that is settled first, and nothing is charged twice.
func unknownThenMore(r *story) {
	for _, u := range unknowns {
		for _, c := range []struct {
			adjust engine.Tokens
			want   string
			writes int
		}{
			{nil, "a:40 b:100", 1},
			{tokens("a", 1), "a:39 b:100", 2},
			{tokens("a", -20), "a:60 b:100", 2},
			{tokens("a", -60), "a:100 b:100", 2},
			{tokens("b", 7), "a:40 b:93", 2},
			{engine.Tokens{"a": -60, "b": 7}, "a:100 b:93", 2},
		} {
			what := fmt.Sprintf("%v, then %v", u.act, c.adjust)
			l, limits := r.limiter(), []engine.Limit{stored("a", 100), stored("b", 100)}
			q := request(tokens("a", 10), limits...)
			q.Entity = fmt.Sprintf("user-%d-%d-%d", u.act, c.adjust["a"]+100, c.adjust["b"])
			lease := r.flushLost(l, q, u.act)
			r.wantInvalid(what+": more is refunded than is held", lease.Adjust(tokens("a", -61)))
			r.must(lease.Adjust(c.adjust))
			r.late()
			if u.unknown { // else nothing is unknown, and one write does both
				r.wantRequests(what, c.writes, 0, func() { r.must(lease.Commit(r.Context())) })
			} else {
				r.wantRequests(what, min(1, c.writes), 0, func() { r.must(lease.Commit(r.Context())) })
			}
			r.wantLeftOf(r.limiter(), q.Entity, what, c.want, limits...)
		}
	}
	r.wantNothingLost()
}

// unknownThenConsume consumes more after a flush of unknown outcome.
func unknownThenConsume(r *story) {
	for _, u := range unknowns {
		for i, want := range []string{"a:37", "a:100"} {
			l, limit := r.limiter(), stored("a", 100)
			q := request(tokens("a", 10), limit)
			q.Entity = fmt.Sprintf("user-%d-%d", u.act, i)
			lease := r.flushLost(l, q, u.act)
			r.late()
			r.must(lease.Consume(r.Context(), tokens("a", 3)))
			r.must([]func(context.Context) error{lease.Commit, lease.Rollback}[i](r.Context()))
			r.wantLeftOf(r.limiter(), q.Entity, u.act.String()+", then Consume", want, limit)
		}
	}
}

// unknownThenRollback: a charge of unknown outcome is refunded if its record shows it, and else reported as lost.
func unknownThenRollback(r *story) {
	rollbacks := map[string]func(*engine.Limiter, engine.Request, limitertest.Act){
		"Rollback": func(l *engine.Limiter, q engine.Request, act limitertest.Act) {
			lease := r.flushLost(l, q, act)
			r.must(lease.Rollback(r.Context()))
			r.must(lease.Rollback(r.Context()))
		},
		"Do": func(l *engine.Limiter, q engine.Request, act limitertest.Act) {
			r.wantError("Do", l.Do(r.Context(), q, func(_ context.Context, s *engine.Lease) error {
				r.must(s.Adjust(tokens("a", 50)))
				r.faults.SetPlan(limitertest.Always(act, limitertest.OpApply))
				defer r.faults.SetPlan(nil)
				return s.Flush(r.Context())
			}), engine.ErrUnavailable)
		},
	}
	for _, u := range unknowns {
		for name, rollBack := range rollbacks {
			what, limit := fmt.Sprintf("%s, %v", name, u.act), stored("a", 100)
			q, before := request(tokens("a", 10), limit), r.lost()
			q.Entity = fmt.Sprintf("%s-%d", name, u.act)
			r.mustAcquire(r.limiter(), q)
			rollBack(r.limiter(), q, u.act)
			r.wantLeftOf(r.limiter(), q.Entity, what, "a:90", limit)
			want := int64(0)
			if u.unknown && !u.charged {
				want = 50
			}
			if got := r.lost() - before; got != want {
				r.Errorf("%s: %d were reported as lost, not %d", what, got, want)
			}
			r.late()
			if want = 90; u.act == limitertest.Late {
				want = 40 // it was reported
			}
			r.wantLeftOf(r.limiter(), q.Entity, what+", later", fmt.Sprintf("a:%d", want), limit)
		}
	}
}

// unknownOvertaken: after another write the record does not show the write of unknown outcome any more.
func unknownOvertaken(r *story) {
	l, limit := r.limiter(), stored("a", 100)
	lease := r.flushLost(l, request(tokens("a", 10), limit), limitertest.LoseReply)
	r.mustAcquire(r.limiter(), request(tokens("a", 1), limit))
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(r.limiter(), "overtaken, rolled back", "a:49", limit)
	if got := r.lost(); got != 50 {
		r.Errorf("%d were reported as lost, not 50", got)
	}
}

// unknownThenReset: the charge was made to a life of the bucket that is over, or to the one that followed.
func unknownThenReset(r *story) {
	limit := stored("a", 100)
	for _, c := range []struct {
		name   string
		settle func(*engine.Lease) error
		want   string
	}{
		{"Rollback", func(s *engine.Lease) error { return s.Rollback(r.Context()) }, "a:100"},
		{"Commit", func(s *engine.Lease) error { return s.Commit(r.Context()) }, "a:50"}, // sent again: a reset is a write between
		{"less", func(s *engine.Lease) error {
			return steps(func() error { return s.Adjust(tokens("a", -55)) }, func() error { return s.Commit(r.Context()) })
		}, "a:100"},
	} {
		endByReset(r)
		lease := r.flushLost(r.limiter(), request(tokens("a", 10), limit), limitertest.LoseReply)
		endByReset(r)
		r.must(c.settle(lease))
		r.wantLeft(r.limiter(), "reset, then "+c.name, c.want, limit)
		if got := r.take(r.limiter(), request(tokens("a", 1), limit)); fmt.Sprintf("a:%d", got) != c.want {
			r.Errorf("reset, then %s: %d were admitted", c.name, got)
		}
	}
}
