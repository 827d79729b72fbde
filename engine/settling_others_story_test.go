package engine_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// unknownTooLate: after MaxHold a charge is settled as before, and a refund is reported as lost.
func unknownTooLate(r *story) {
	limit := engine.Every("a", 100, 1000*time.Hour)
	short := func(o *engine.Options) { o.MaxHold = time.Minute }
	for i, settle := range []func(*engine.Lease) error{
		func(s *engine.Lease) error { return s.Commit(r.Context()) },
		func(s *engine.Lease) error { return s.Rollback(r.Context()) },
	} {
		q, before := request(tokens("a", 10), limit), r.lost()
		q.Entity = fmt.Sprintf("late-%d", i)
		lease := r.flushLost(r.limiter(short), q, limitertest.LoseReply)
		r.clock.advance(time.Minute + 1)
		r.must(settle(lease))
		r.wantLeftOf(r.limiter(), q.Entity, "too late", "a:40", limit)
		if got, want := r.lost()-before, int64(60*i); got != want {
			r.Errorf("too late: %d were reported as lost, not %d", got, want)
		}
	}
}

// lost returns how many tokens of a were reported as lost.
func (r *story) lost() (n int64) {
	for _, e := range r.events.of(engine.EventRefundLost) {
		n += e.Tokens["a"]
	}
	return n
}

func (r *story) wantNothingLost() {
	r.Helper()
	if lost := r.events.of(engine.EventRefundLost); len(lost) > 0 {
		r.Errorf("reported as lost: %+v", lost)
	}
}

// unknownConsume: a Consume that failed and may have charged is refunded by the call that settles the lease, or reported.
func unknownConsume(r *story) {
	limit := stored("a", 100)
	for _, u := range unknowns {
		for i, c := range []struct {
			name   string
			settle func(*engine.Lease) error
			want   int64
		}{
			{"Commit", func(s *engine.Lease) error { return s.Commit(r.Context()) }, 90},
			{"Flush", func(s *engine.Lease) error { return s.Flush(r.Context()) }, 90},
			{"Adjust, Commit", func(s *engine.Lease) error {
				return steps(func() error { return s.Adjust(tokens("a", 5)) }, func() error { return s.Commit(r.Context()) })
			}, 85},
			{"Release", func(s *engine.Lease) error { return s.Release(r.Context(), tokens("a", 10)) }, 100},
			{"Rollback", func(s *engine.Lease) error { return s.Rollback(r.Context()) }, 100},
			{"Consume, Commit", func(s *engine.Lease) error {
				return steps(func() error { return s.Consume(r.Context(), tokens("a", 3)) }, func() error { return s.Commit(r.Context()) })
			}, 87},
		} {
			what := fmt.Sprintf("Consume, %v, then %s", u.act, c.name)
			q, before := request(tokens("a", 10), limit), r.lost()
			q.Entity = fmt.Sprintf("user-%d-%d", u.act, i)
			lease := r.mustAcquire(r.limiter(), q)
			r.faults.SetPlan(limitertest.Always(u.act, limitertest.OpApply))
			r.wantError(what, lease.Consume(r.Context(), tokens("a", 20)), engine.ErrUnavailable)
			r.faults.SetPlan(nil)
			if got := amounts(lease.Consumed()); got != "a:10" {
				r.Errorf("%s: Consumed is %s, not a:10", what, got)
			}
			r.wantInvalid(what+": more than is held", lease.Adjust(tokens("a", -11)))
			r.must(c.settle(lease))
			r.wantLeftOf(r.limiter(), q.Entity, what, fmt.Sprintf("a:%d", c.want), limit)
			want := int64(0)
			if u.unknown && !u.charged {
				want = 20
			}
			if got := r.lost() - before; got != want {
				r.Errorf("%s: %d were reported as lost, not %d", what, got, want)
			}
			r.late()
		}
	}
}

// bucketOf applies a plan to writes on the bucket of one entity only.
func bucketOf(entity string, plan limitertest.Plan) limitertest.Plan {
	return limitertest.Where(func(k backend.Key) bool { return strings.Contains(k.Partition, "|"+entity+"|"+api) }, plan)
}

// unknownOnPath: the outcome of one bucket on a path is unknown, the others are settled.
func unknownOnPath(r *story) {
	setup := r.limiter()
	path := r.family(setup, 3)
	full := "a:100 parent-1 a:200 parent-2 a:300"
	for _, lost := range path {
		for _, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest} {
			for name, c := range map[string]struct {
				settle func(*engine.Lease) error
				want   string
			}{
				"Commit": {func(s *engine.Lease) error {
					return steps(func() error { return s.Adjust(tokens("a", 1)) }, func() error { return s.Commit(r.Context()) })
				}, "a:39 parent-1 a:139 parent-2 a:239"},
				"Rollback": {func(s *engine.Lease) error { return s.Rollback(r.Context()) }, full},
			} {
				what := fmt.Sprintf("%v of %s, then %s", act, lost, name)
				r.endPath()
				r.must(setup.ResetBucket(r.Context(), "parent-2", api))
				lease := r.mustAcquire(r.limiter(), request(tokens("a", 10)))
				r.must(lease.Adjust(tokens("a", 50)))
				r.faults.SetPlan(bucketOf(lost, limitertest.Always(act, limitertest.OpApply)))
				r.wantError(what, lease.Flush(r.Context()), engine.ErrUnavailable)
				r.faults.SetPlan(nil)
				r.must(c.settle(lease))
				r.wantLeft(r.limiter(), what, c.want)
			}
		}
	}
}

// unknownConsumeOnPath: a Consume that failed on one bucket of a path leaves no charge on any of them.
func unknownConsumeOnPath(r *story) {
	setup := r.limiter()
	for _, lost := range r.family(setup, 2) {
		r.endPath()
		lease := r.mustAcquire(r.limiter(), request(tokens("a", 10)))
		r.faults.SetPlan(bucketOf(lost, limitertest.Always(limitertest.LoseReply, limitertest.OpApply)))
		ctx, cancel := context.WithCancel(r.Context())
		r.wantError("Consume", lease.Consume(ctx, tokens("a", 20)), engine.ErrUnavailable)
		cancel()
		r.faults.SetPlan(nil)
		r.must(lease.Commit(ctx))
		r.wantLeft(r.limiter(), "reply of "+lost+" lost", "a:90 parent-1 a:190")
	}
}

// resetThenLess: an adjustment downwards of what was charged in a former life of the bucket has no effect and is no error.
func resetThenLess(r *story) {
	limit := stored("a", 1000)
	for i, over := range []end{endByReset, endByDeletion, func(r *story) { r.expire(limit) }} {
		endByReset(r)
		forever := func(o *engine.Options) { o.MaxHold = 1000 * aDay }
		l := r.limiter(forever)
		r.must(l.Do(r.Context(), request(tokens("a", 600), limit), func(ctx context.Context, s *engine.Lease) error {
			over(r)
			r.must(s.Consume(ctx, tokens("a", 100)))
			r.wantLeft(r.limiter(), "consumed", "a:900", limit)
			r.wantInvalid("Adjust below nothing", s.Adjust(tokens("a", -701)))
			if err := s.Adjust(tokens("a", -300)); err != nil {
				return err
			}
			r.wantInvalid("Adjust below nothing in two steps", s.Adjust(tokens("a", -401)))
			r.must(s.Flush(ctx))
			r.wantInvalid("Adjust below nothing once that is written", s.Adjust(tokens("a", -401)))
			r.must(s.Release(ctx, tokens("a", 400)))
			r.wantInvalid("Release of nothing", s.Release(ctx, tokens("a", 1)))
			return s.Adjust(tokens("a", 5))
		}))
		r.wantLeft(r.limiter(), fmt.Sprintf("end %d of a life, then less", i), "a:995", limit)
		l = r.limiter()
		r.mustAcquire(l, request(tokens("a", 995), limit))
		r.mustDeny(l, request(tokens("a", 1), limit))
	}
	r.wantNothingLost()
}

// resetParentThenLess: one bucket on the path was reset.
func resetParentThenLess(r *story) {
	l := r.limiter()
	r.family(l, 2)
	r.must(l.Do(r.Context(), request(tokens("a", 60)), func(ctx context.Context, s *engine.Lease) error {
		r.must(r.limiter().ResetBucket(ctx, "parent-1", api))
		r.must(s.Consume(ctx, tokens("a", 10)))
		return s.Adjust(tokens("a", -30))
	}))
	r.wantLeft(r.limiter(), "the parent was reset", "a:60 parent-1 a:200")
}

// droppedThenLess: an adjustment of a removed limit has no effect, which is reported, and can be adjusted downwards.
func droppedThenLess(r *story) {
	l := r.limiter()
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100), stored("b", 100)}))
	r.must(l.Do(r.Context(), request(tokens("a", 10)), func(ctx context.Context, s *engine.Lease) error {
		r.must(s.Adjust(tokens("b", 10)))
		r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
		r.must(s.Flush(ctx))
		return s.Adjust(engine.Tokens{"a": -3, "b": -10})
	}))
	r.wantLeft(r.limiter(), "a limit that is no more", "a:93")
	if lost := r.events.of(engine.EventUsageLost); len(lost) != 1 || amounts(lost[0].Tokens) != "b:10" || lost[0].Err == nil {
		r.Errorf("lost usage is reported as %+v", lost)
	}
}

// unknownTwice flushes repeatedly, each time with an unknown outcome, and adjusts in between.
func unknownTwice(r *story) {
	for _, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest} {
		l, limit := r.limiter(), stored("a", 100)
		q := request(tokens("a", 10), limit)
		q.Entity = fmt.Sprintf("user-%d", act)
		lease := r.flushLost(l, q, act)
		for range 3 {
			r.must(lease.Adjust(tokens("a", 1)))
			r.faults.SetPlan(limitertest.Always(act, limitertest.OpApply))
			r.wantError("Flush again, "+act.String(), lease.Flush(r.Context()), engine.ErrUnavailable)
			r.faults.SetPlan(nil)
			r.clock.advance(20 * time.Second) // longer than the breaker pauses
		}
		r.must(lease.Flush(r.Context()))
		r.wantLeftOf(r.limiter(), q.Entity, "flushed at last, "+act.String(), "a:37", limit)
		r.must(lease.Commit(r.Context()))
		r.wantLeftOf(r.limiter(), q.Entity, "committed, "+act.String(), "a:37", limit)
	}
	r.wantNothingLost()
}
