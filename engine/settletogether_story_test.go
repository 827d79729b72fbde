package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestSettlingTogether tells how leases of one process share the writes that settle them.
func TestSettlingTogether(t *testing.T) { tellOnEachKind(t, settlingTogether, true) }

var settlingTogether = stories{
	{"Refunds", func(r *story) { r.settleAll(30, func(int) int64 { return -3 }, 2) }},
	{"Charges", func(r *story) { r.settleAll(30, func(int) int64 { return 20 }, 2) }},
	{"Both", func(r *story) { r.settleAll(30, func(i int) int64 { return int64(i%2)*10 - 4 }, 3) }},
	{"BothInOne", settleBothInOne},
	{"Denials", settleDenials},
	{"LostRefunds", settleLostRefunds},
	{"LostCharges", settleLostCharges},
	{"Outage", settleOutage},
	{"Reset", settleReset},
	{"Lives", settleLives},
	{"Hung", settleHung},
	{"OutOfRange", settleOutOfRange},
	{"AtRandom", settleAtRandom},
}

// leases returns leases of 10 tokens of the user, of a bucket that is large enough for them, and its limit.
func (r *story) leases(l *engine.Limiter, entity string, n int) (all []*engine.Lease, limit engine.Limit) {
	r.Helper()
	limit = stored("a", 1000)
	q := request(tokens("a", 10), limit)
	q.Entity = entity
	for range n {
		all = append(all, r.mustAcquire(l, q))
	}
	return all, limit
}

// flushTogether adjusts leases and writes that, all others while the first one's write is under way.
func (r *story) flushTogether(leases []*engine.Lease, delta func(i int) int64, meanwhile func()) *crowd {
	r.Helper()
	var calls []func() (engine.Decision, error)
	for i, lease := range leases {
		r.must(lease.Adjust(tokens("a", delta(i))))
		calls = append(calls, func() (d engine.Decision, err error) { return d, lease.Flush(context.Background()) })
	}
	return r.meet(meanwhile, calls...)
}

// settleAll settles leases that meet, in so many writes.
func (r *story) settleAll(n int, delta func(i int) int64, writes int) {
	r.virtually(func(r *story) {
		l, left := r.limiter(sleeping), int64(1000)
		leases, limit := r.leases(l, user, n)
		for i := range n {
			left -= 10 + delta(i)
		}
		before := r.faults.Calls(limitertest.OpApply)
		r.wantNoErrors(r.flushTogether(leases, delta, nil))
		if got := r.faults.Calls(limitertest.OpApply) - before; got != writes {
			r.Errorf("%d writes for %d leases, not %d", got, n, writes)
		}
		r.wantLeft(r.limiter(), "afterwards", fmt.Sprintf("a:%d", left), limit)
		states, err := l.BucketStates(context.Background(), []engine.BucketName{{Entity: user, Resource: api}})
		if r.must(err); states[0].Limits[0].Used != 1000-left {
			r.Errorf("%d tokens are recorded, not %d", states[0].Limits[0].Used, 1000-left)
		}
	})
}

// settleBothInOne: a lease with a charge of one limit and a refund of another one writes for itself.
func settleBothInOne(r *story) {
	r.virtually(func(r *story) {
		l, limits := r.limiter(sleeping), []engine.Limit{stored("a", 100), stored("b", 100)}
		var calls []func() (engine.Decision, error)
		for range 3 {
			lease := r.mustAcquire(l, request(engine.Tokens{"a": 10, "b": 10}, limits...))
			r.must(lease.Adjust(engine.Tokens{"a": -4, "b": 5}))
			calls = append(calls, func() (d engine.Decision, err error) { return d, lease.Commit(context.Background()) })
		}
		r.wantNoErrors(r.meet(nil, calls...))
		r.wantLeft(r.limiter(), "afterwards", "a:82 b:55", limits...)
	})
}

// settleDenials: refunds of acquires that a parent has denied share writes, and each lowers the count of acquires by its own.
func settleDenials(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter(sleeping)
		r.family(l, 2)
		r.must(l.SetLimits(context.Background(), "parent-1", api, []engine.Limit{stored("a", 10)}))
		r.mustAcquire(l, request(tokens("a", 1)))
		r.faults.SetHooks(func(_ context.Context, c limitertest.Call) {
			if c.Op == limitertest.OpApply {
				r.wait(10 * time.Millisecond)
			}
		}, nil)
		before := r.faults.Calls(limitertest.OpApply)
		var admitted atomic.Int64
		r.together(90, func(int) {
			d, err := l.Allow(context.Background(), request(tokens("a", 1)))
			if r.must(err); d.Allowed {
				admitted.Add(1)
			}
		})
		if n := r.faults.Calls(limitertest.OpApply) - before; n > 10 || admitted.Load() != 9 {
			r.Errorf("%d of 90 callers were admitted, in %d writes", admitted.Load(), n)
		}
		r.faults.SetHooks(nil, nil)
		r.wantLeft(r.limiter(), "afterwards", "a:90 parent-1 a:0")
		states, err := l.BucketStates(context.Background(), []engine.BucketName{{Entity: user, Resource: api}})
		if r.must(err); states[0].Acquires != 10 {
			r.Errorf("%d acquires were counted, not 10", states[0].Acquires)
		}
	})
}

// plan makes the next writes go as acts say, one after the other.
func (r *story) plan(acts ...limitertest.Act) {
	n := 0
	r.faults.SetPlan(func(call limitertest.Call) limitertest.Act {
		if call.Op != limitertest.OpApply || n == len(acts) {
			return limitertest.Pass
		}
		n++
		return acts[n-1]
	})
}

// settleLostRefunds: refunds that several leases share are made once at most, and those that are not are reported.
func settleLostRefunds(r *story) {
	for _, c := range []struct {
		act  limitertest.Act
		left int // of what 10 leases of 10 tokens refund, 3 each
		lost int64
	}{{limitertest.Fail, 30, 0}, {limitertest.LoseRace, 30, 0}, {limitertest.LoseReply, 30, 27}, {limitertest.LoseRequest, 3, 27}} {
		r.virtually(func(r *story) {
			l, before := r.limiter(sleeping), len(r.events.of(engine.EventRefundLost))
			entity := fmt.Sprintf("user-%d", c.act)
			leases, limit := r.leases(l, entity, 10)
			r.wantNoErrors(r.flushTogether(leases, func(int) int64 { return -3 }, func() { r.plan(c.act) }))
			r.faults.SetPlan(nil)
			r.wantLeftOf(r.limiter(), entity, c.act.String(), fmt.Sprintf("a:%d", 1000-100+c.left), limit)
			var lost int64
			for _, e := range r.events.of(engine.EventRefundLost)[before:] {
				lost += e.Tokens["a"]
			}
			if lost != c.lost {
				r.Errorf("%v: %d tokens were reported as lost, not %d", c.act, lost, c.lost)
			}
		})
	}
}

// settleLostCharges: a charge of unknown outcome that several leases share is made once, whoever of them settles again, and is
// refunded to those that are rolled back.
func settleLostCharges(r *story) {
	for _, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest} {
		for _, first := range []int{1, 2, 9} { // 0 has written for itself, 2 is rolled back, the others commit
			r.virtually(func(r *story) {
				l, entity := r.limiter(sleeping), fmt.Sprintf("user-%d-%d", act, first)
				leases, limit := r.leases(l, entity, 10)
				n := 0
				c := r.flushTogether(leases, func(int) int64 { return 5 }, func() {
					r.faults.SetPlan(func(limitertest.Call) limitertest.Act {
						if n++; n == 1 {
							return act
						}
						return limitertest.Fail
					})
				})
				r.faults.SetPlan(nil)
				r.clock.advance(longestPause) // the breaker
				for i, err := range c.errs {
					if (err == nil) != (i == 0) || i > 0 && !errors.Is(err, engine.ErrUnavailable) {
						r.Errorf("lease %d: %v", i, err)
					}
				}
				order := append([]int{first}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
				for at, i := range order {
					switch {
					case at > 0 && i == first:
					case i == 2:
						r.must(leases[i].Rollback(context.Background()))
					default:
						r.must(leases[i].Commit(context.Background()))
					}
				}
				want := int64(1000 - 9*15)
				if act == limitertest.LoseRequest && first == 2 { // the record shows nothing, so that it counts as lost; then it is made
					want -= 5
				}
				r.wantLeftOf(r.limiter(), entity, fmt.Sprintf("%v, lease %d first", act, first), fmt.Sprintf("a:%d", want), limit)
			})
		}
	}
}

// settleOutage: if the store fails, each lease gets the error, and settles later.
func settleOutage(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter(sleeping)
		leases, limit := r.leases(l, user, 10)
		c := r.flushTogether(leases, func(int) int64 { return 7 }, func() { r.faults.SetPlan(limitertest.Always(limitertest.Fail)) })
		r.faults.SetPlan(nil)
		r.clock.advance(longestPause)
		for i, err := range c.errs[1:] { // the first one's write was sent before
			r.wantError(fmt.Sprint("lease ", i+1), err, engine.ErrUnavailable)
			r.must(leases[i+1].Commit(context.Background()))
		}
		r.wantLeft(r.limiter(), "afterwards", "a:830", limit)
	})
}

// settleReset: after a reset shared refunds are void, and shared charges go to the bucket's new life, which takes them back.
func settleReset(r *story) {
	for _, c := range []struct{ delta, left, consumed int64 }{{-3, 1000, 10}, {5, 1000 - 9*5, 15}} {
		r.virtually(func(r *story) {
			l, other, entity := r.limiter(sleeping), r.limiter(sleeping), fmt.Sprint("user", c.delta)
			leases, limit := r.leases(l, entity, 10)
			hold := make(chan struct{})
			r.wantNoErrors(r.flushTogether(leases, func(int) int64 { return c.delta }, func() {
				n := 0
				r.faults.SetHooks(nil, func(_ context.Context, call limitertest.Call) {
					if n++; call.Op == limitertest.OpApply && n == 1 { // the first one's write has taken effect
						<-hold
					}
				})
				go func() {
					synctest.Wait()
					r.must(other.ResetBucket(context.Background(), entity, api))
					close(hold)
				}()
			}))
			r.wantLeftOf(r.limiter(), entity, fmt.Sprintf("%d each after a reset", c.delta), fmt.Sprintf("a:%d", c.left), limit)
			for _, lease := range leases[1:] {
				if got := lease.Consumed()["a"]; got != c.consumed {
					r.Errorf("%d each after a reset: a lease accounts for %d tokens, not %d", c.delta, got, c.consumed)
				}
				r.must(lease.Rollback(context.Background()))
			}
			r.wantLeftOf(r.limiter(), entity, "after a rollback", "a:1000", limit)
		})
	}
}

// settleLives: leases of a bucket that was reset and those of its new life do not share a write.
func settleLives(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter(sleeping)
		old, limit := r.leases(l, user, 5)
		r.must(r.limiter(sleeping).ResetBucket(context.Background(), user, api))
		young, _ := r.leases(l, user, 5)
		r.wantNoErrors(r.flushTogether(append(old, young...), func(int) int64 { return -3 }, nil))
		r.wantLeft(r.limiter(), "afterwards", "a:965", limit)
	})
}

// settleHung: a settlement that hangs holds up others for a short time only.
func settleHung(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter(sleeping, func(o *engine.Options) { o.Timeout = budget })
		leases, limit := r.leases(l, user, 5)
		r.plan(limitertest.Hang)
		for i, lease := range leases {
			r.must(lease.Adjust(tokens("a", 5)))
			if i == 0 {
				go func() { _ = lease.Commit(context.Background()) }()
				synctest.Wait()
				continue
			}
			start := time.Now()
			r.must(lease.Commit(context.Background()))
			if took := time.Since(start); took > 200*time.Millisecond {
				r.Errorf("lease %d settled after %v", i, took)
			}
		}
		r.wantLeft(r.limiter(), "afterwards", "a:930", limit)
		r.wait(budget)
	})
}

// settleOutOfRange: leases that together would lead beyond the greatest debt settle one by one, as far as there is room.
func settleOutOfRange(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter(sleeping)
		leases, _ := r.leases(l, user, 5)
		c := r.flushTogether(leases, func(i int) int64 {
			if i >= 2 {
				return 4e15
			}
			return 4
		}, nil)
		refused := 0
		for i, err := range c.errs {
			switch {
			case errors.Is(err, engine.ErrOutOfRange) && i >= 2:
				refused++
			case err != nil:
				r.Errorf("lease %d: %v", i, err)
			}
		}
		if refused != 1 {
			r.Errorf("%d of three leases of 4·10^15 tokens were refused, not 1", refused)
		}
	})
}

// settleAtRandom: whatever replies are lost, the bucket is charged at least what the leases account for, less the refunds that
// were reported as lost.
func settleAtRandom(r *story) {
	for seed := range uint64(40) {
		r.virtually(func(r *story) {
			random, l, entity := rand.New(rand.NewPCG(seed, 0)), r.limiter(sleeping), fmt.Sprintf("user-%d", seed)
			leases, limit := r.leases(l, entity, 12)
			before := len(r.events.of(engine.EventRefundLost))
			r.faults.SetPlan(func(call limitertest.Call) limitertest.Act {
				if call.Op != limitertest.OpApply {
					return limitertest.Pass
				}
				return [...]limitertest.Act{limitertest.Pass, limitertest.Pass, limitertest.LoseReply, limitertest.LoseRequest, limitertest.Fail}[random.IntN(5)]
			})
			for range 3 {
				r.flushTogether(leases, func(int) int64 { return random.Int64N(14) - 3 }, nil)
				r.clock.advance(longestPause)
			}
			r.faults.SetPlan(nil)
			var held, lost int64
			for _, lease := range leases {
				r.must(lease.Commit(context.Background()))
				held += lease.Consumed()["a"]
			}
			for _, e := range r.events.of(engine.EventRefundLost)[before:] {
				lost += e.Tokens["a"]
			}
			left := r.left(r.limiter(), entity, limit)["a"]
			if charged := 1000 - left; charged < held-lost { // a charge whose reply was lost may be made twice, if others wrote meanwhile
				r.Errorf("seed %d: %d tokens are charged, the leases account for %d, and refunds of %d are lost", seed, charged, held, lost)
			}
		})
	}
}
