package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestRefunds proves that a refund is made once, and only to the bucket that was charged.
func TestRefunds(t *testing.T) { tellOnEachKind(t, refunds, true) }

var refunds = stories{
	{"LostReply", refundLost},
	{"Mixed", refundMixed},
	{"Denied", refundDenied},
	{"AfterReset", func(r *story) { r.afterEnd(endByReset) }},
	{"AfterDeletion", func(r *story) { r.afterEnd(endByDeletion) }},
	{"AfterExpiry", func(r *story) { r.afterEnd(endByExpiry) }},
	{"AfterRefill", refundAfterRefill},
	{"ConsumedAfterReset", refundConsumedAfterReset},
	{"Crossing", refundCrossing},
	{"Closing", refundClosing},
}

// refundOps are the ways to refund all 10 of a lease.
var refundOps = []struct {
	name string
	do   func(r *story, s *engine.Lease) error
}{
	{"Rollback", func(r *story, s *engine.Lease) error { return s.Rollback(r.Context()) }},
	{"Release", func(r *story, s *engine.Lease) error { return s.Release(r.Context(), tokens("a", 10)) }},
	{"Flush", func(r *story, s *engine.Lease) error {
		return steps(func() error { return s.Adjust(tokens("a", -10)) }, func() error { return s.Flush(r.Context()) })
	}},
	{"Commit", func(r *story, s *engine.Lease) error {
		return steps(func() error { return s.Adjust(tokens("a", -10)) }, func() error { return s.Commit(r.Context()) })
	}},
}

// refundLost: a refund of unknown outcome is not made again, and is reported to the observer.
func refundLost(r *story) {
	for i, op := range refundOps {
		for _, c := range []struct {
			act       limitertest.Act
			now, late int64 // available then, and once late writes were carried out
			writes    int
			lost      bool
		}{
			{limitertest.Fail, 60, 60, 2, false},
			{limitertest.Throttle, 60, 60, 2, false},
			{limitertest.LoseRace, 60, 60, 2, false},
			{limitertest.LoseReply, 60, 60, 1, true},
			{limitertest.LoseRequest, 50, 50, 1, true},
			{limitertest.Late, 50, 60, 1, true},
		} {
			l, limit := r.limiter(), stored("a", 100)
			what := fmt.Sprintf("%s, %v", op.name, c.act)
			q := request(tokens("a", 40), limit)
			q.Entity = fmt.Sprintf("user-%d-%d", i, c.act)
			r.mustAcquire(r.limiter(), q)
			q.Consume = tokens("a", 10)
			lease, before := r.mustAcquire(l, q), len(r.events.of(engine.EventRefundLost))
			r.next(limitertest.OpApply, c.act)
			r.wantRequests(what, c.writes, 0, func() { r.must(op.do(r, lease)) })
			r.wantLeftOf(r.limiter(), q.Entity, what, fmt.Sprintf("a:%d", c.now), limit)
			r.late()
			r.must(lease.Rollback(r.Context()))
			r.wantLeftOf(r.limiter(), q.Entity, what+", later", fmt.Sprintf("a:%d", c.late), limit)
			if told := len(r.events.of(engine.EventRefundLost)) > before; told != c.lost {
				r.Errorf("%s: told to the observer: %v", what, told)
			}
		}
	}
}

// refundMixed: in one commit some limits go up and others down.
func refundMixed(r *story) {
	for _, c := range []struct {
		act  limitertest.Act
		want string
	}{
		{limitertest.Pass, "a:100 b:85"}, {limitertest.Fail, "a:100 b:85"}, {limitertest.LoseRace, "a:100 b:85"}, {limitertest.LoseReply, "a:100 b:85"}, {limitertest.LoseRequest, "a:90 b:85"},
	} {
		l, limits := r.limiter(), []engine.Limit{stored("a", 100), stored("b", 100)}
		q := request(engine.Tokens{"a": 10, "b": 10}, limits...)
		q.Entity = fmt.Sprintf("user-%d", c.act)
		lease := r.mustAcquire(l, q)
		r.must(lease.Adjust(engine.Tokens{"a": -10, "b": 5}))
		r.next(limitertest.OpApply, c.act)
		r.must(lease.Commit(r.Context()))
		r.faults.SetPlan(nil)
		r.wantLeftOf(r.limiter(), q.Entity, "up and down, "+c.act.String(), c.want, limits...)
	}
}

// refundDenied: what a denied acquire has charged on its path is refunded once.
func refundDenied(r *story) {
	setup := r.limiter()
	r.must(setup.SetLimits(r.Context(), "parent", api, []engine.Limit{stored("a", 5)}))
	for i, c := range []struct {
		act  limitertest.Act
		want int64
	}{{limitertest.Pass, 100}, {limitertest.Fail, 100}, {limitertest.LoseReply, 100}, {limitertest.LoseRequest, 97}} {
		id := fmt.Sprintf("user-%d", i)
		r.mustEntity(setup, engine.Entity{ID: id, Parent: "parent", Cascade: true})
		q := request(tokens("a", 3), stored("a", 100))
		q.Entity = id
		other := r.limiter()
		r.must(other.ResetBucket(r.Context(), "parent", api))
		r.mustAcquire(other, engine.Request{Entity: "parent", Resource: api, Consume: tokens("a", 5)})
		l := r.limiter()
		r.faults.SetPlan(limitertest.On(limitertest.OpApply, r.faults.Calls(limitertest.OpApply)+2, c.act)) // child, parent, and then what the child gets back
		if e := r.mustDeny(l, q); e.Primary().Entity != "parent" {
			r.Errorf("denied by %s", e.Primary().Entity)
		}
		r.faults.SetPlan(nil)
		r.wantLeftOf(r.limiter(), id, "denied by its parent, "+c.act.String(), fmt.Sprintf("a:%d parent a:0", c.want), q.Limits...)
	}
}

// end ends the life of a bucket, in another process.
type end func(r *story)

func endByReset(r *story) { r.must(r.limiter().ResetBucket(r.Context(), user, api)) }

func endByDeletion(r *story) {
	l := r.limiter()
	r.mustEntity(l, engine.Entity{ID: user})
	r.must(l.DeleteEntity(r.Context(), user, nil))
}

func endByExpiry(r *story) { r.expire(engine.PerHour("a", 100), engine.PerHour("b", 100)) }

// expire has the user's record expire and be swept. The last process to charge it has the shortest MaxHold.
func (r *story) expire(limits ...engine.Limit) {
	r.mustAcquire(r.limiter(), request(tokens("a", 1), limits...))
	r.clock.advance(100 * time.Hour)
	if n, err := r.store.Capabilities().Sweep(r.Context(), r.clock.Now().Unix()); n == 0 || err != nil {
		r.Fatalf("Sweep: %d records, %v", n, err)
	}
}

// afterEnd refunds a bucket after the end of its life, when it is empty again, full, or gone: no tokens are created.
func (r *story) afterEnd(over end) {
	limits := []engine.Limit{engine.PerHour("a", 100), engine.PerHour("b", 100)}
	forever := func(o *engine.Options) { o.MaxHold = 1000 * time.Hour }
	for _, use := range []int64{0, 1, 100} {
		for _, op := range refundOps {
			what := fmt.Sprintf("%s, when %d are used again", op.name, use)
			l, other := r.limiter(forever), r.limiter(forever)
			endByReset(r)
			lease, mixed := r.mustAcquire(l, request(tokens("a", 10), limits...)), r.mustAcquire(l, request(tokens("a", 10), limits...))
			over(r)
			if use > 0 {
				r.mustAcquire(other, request(engine.Tokens{"a": use, "b": 1}, limits...))
			}
			r.must(op.do(r, lease))
			r.must(mixed.Adjust(engine.Tokens{"a": -10, "b": 5}))
			r.must(mixed.Commit(r.Context()))
			fresh := r.limiter()
			r.wantLeft(fresh, what, fmt.Sprintf("a:%d b:%d", 100-use, 95-min(use, 1)), limits...)
			if got := r.take(fresh, request(tokens("a", 1), limits...)); got != 100-use {
				r.Errorf("%s: %d were admitted, not %d", what, got, 100-use)
			}
			r.clock.advance(time.Hour)
		}
	}
}

// refundAfterRefill: a refund to a full bucket has no effect.
func refundAfterRefill(r *story) {
	l, q := r.limiter(), request(tokens("a", 60), engine.PerMinute("a", 60))
	lease := r.mustAcquire(l, q)
	r.clock.advance(time.Minute)
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "refunded to a full bucket", "a:60", q.Limits...)
	r.mustAcquire(l, q)
	r.mustDeny(l, q)
	r.clock.advance(30 * time.Second)
	q.Consume = tokens("a", 1)
	if got := r.take(r.limiter(), q); got != 30 {
		r.Errorf("half a minute later %d were admitted, of 30", got)
	}
}

// refundConsumedAfterReset: a lease that takes more after a reset refunds what it took since, and no more.
func refundConsumedAfterReset(r *story) {
	l, limit := r.limiter(), stored("a", 100)
	lease := r.mustAcquire(l, request(tokens("a", 10), limit))
	endByReset(r)
	r.must(lease.Consume(r.Context(), tokens("a", 7)))
	r.wantLeft(l, "7 taken after a reset", "a:93", limit)
	if got := amounts(lease.Consumed()); got != "a:17" {
		r.Errorf("the lease has consumed %s, not a:17", got)
	}
	r.wantInvalid("Release of more than was taken before and since", lease.Release(r.Context(), tokens("a", 18)))
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(r.limiter(), "rolled back", "a:100", limit)
	if got := r.take(r.limiter(), request(tokens("a", 1), limit)); got != 100 {
		r.Errorf("%d were admitted, of 100", got)
	}
}

// refundCrossing: many leases of several processes refund in another order than they charged.
func refundCrossing(r *story) {
	limits := []engine.Limit{stored("a", 1000), stored("b", 1000)}
	all := r.processes(3)
	var held []*engine.Lease
	usedA, usedB := int64(0), int64(0)
	amount := func(i int) int64 { return int64(i%7 + 1) }
	for i := range 40 {
		held = append(held, r.mustAcquire(all[i%3], request(engine.Tokens{"a": amount(i), "b": 2 * amount(i)}, limits...)))
		usedA, usedB = usedA+amount(i), usedB+2*amount(i)
	}
	for i := range held {
		lease, n := held[i*17%40], amount(i*17%40)
		switch i % 3 {
		case 0:
			r.must(lease.Rollback(r.Context()))
			usedA, usedB = usedA-n, usedB-2*n
		case 1:
			r.must(lease.Adjust(engine.Tokens{"a": -n, "b": -n}))
			r.must(lease.Commit(r.Context()))
			usedA, usedB = usedA-n, usedB-n
		default:
			r.must(lease.Adjust(engine.Tokens{"a": 3, "b": -2 * n}))
			r.must(lease.Commit(r.Context()))
			usedA, usedB = usedA+3, usedB-2*n
		}
		r.wantLeft(all[i%3], fmt.Sprintf("lease %d of 40", i), fmt.Sprintf("a:%d b:%d", 1000-usedA, 1000-usedB), limits...)
	}
}

// refundClosing: what one bucket of a path was charged is refunded also if the limiter closes meanwhile, and a caller that has
// gone does not wait for it.
func refundClosing(r *story) {
	r.virtually(func(r *story) {
		l, start := r.limiter(virtual), time.Now()
		r.family(l, 2)
		r.must(r.mustAcquire(l, request(tokens("a", 10))).Commit(r.Context()))
		r.faults.SetPlan(func(c limitertest.Call) limitertest.Act {
			switch own := c.Op == limitertest.OpApply && strings.Contains(c.Keys[0].Partition, "|"+user+"|"); {
			case own:
				return limitertest.Hang
			case c.Op == limitertest.OpApply && time.Since(start) > 0: // the refund
				r.must(pause.For(context.Background(), budget/4))
			}
			return limitertest.Pass
		})
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() {
			_, err := l.Acquire(ctx, request(tokens("a", 20)))
			if took := time.Since(start); !errors.Is(err, context.Canceled) || took != budget/10 {
				r.Errorf("a caller that leaves after %v while the limiter closes: %v, after %v", budget/10, err, took)
			}
		})
		synctest.Wait()
		all.Go(func() { r.must(l.Close()) })
		r.wait(budget / 10)
		cancel()
		all.Wait()
		r.wait(budget)
		r.faults.SetPlan(nil)
		r.wantLeftOf(r.limiter(virtual), "parent-1", "after the limiter has closed", "a:190")
		if lost := r.events.of(engine.EventRefundLost); len(lost) > 0 {
			r.Errorf("lost: %+v", lost)
		}
	})
}
