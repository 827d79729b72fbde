package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestMeetings tells how callers of one process share writes of one bucket.
func TestMeetings(t *testing.T) { tellOnEachKind(t, meetings, true) }

var meetings = stories{
	{"Few", meetingFew},
	{"Statuses", meetingStatuses},
	{"OwnReset", meetingOwnReset},
	{"Leave", meetingLeave},
	{"LostReplies", meetingLostReplies},
	{"Outage", meetingOutage},
	{"Conversion", meetingConversion},
	{"Reset", meetingReset},
	{"Hung", meetingHung},
	{"Parents", meetingParents},
	{"Consume", meetingConsume},
	{"Close", meetingClose},
}

// crowd is callers that meet behind the first one's write, in order.
type crowd struct {
	decisions []engine.Decision
	errs      []error
}

// meet lets one caller write, and others come while it does. In between, meanwhile is called.
func (r *story) meet(meanwhile func(), calls ...func() (engine.Decision, error)) *crowd {
	r.Helper()
	c := &crowd{make([]engine.Decision, len(calls)), make([]error, len(calls))}
	hold := make(chan struct{})
	r.faults.SetHooks(func(_ context.Context, call limitertest.Call) {
		if call.Op == limitertest.OpApply {
			<-hold
		}
	}, nil)
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() { c.decisions[i], c.errs[i] = call() })
		synctest.Wait()
	}
	if meanwhile != nil {
		meanwhile()
	}
	close(hold)
	all.Wait()
	r.faults.SetHooks(nil, nil)
	return c
}

// allow is a call of Allow.
func (r *story) allow(l *engine.Limiter, q engine.Request) func() (engine.Decision, error) {
	return func() (engine.Decision, error) { return l.Allow(context.Background(), q) }
}

func (c *crowd) admitted() (n int) {
	for _, d := range c.decisions {
		if d.Allowed {
			n++
		}
	}
	return n
}

func (r *story) wantNoErrors(c *crowd) {
	r.Helper()
	for i, err := range c.errs {
		if err != nil {
			r.Errorf("caller %d: %v", i, err)
		}
	}
}

// meetingFew: callers that meet cost two writes, and as many are admitted as the bucket holds.
func meetingFew(r *story) {
	r.virtually(func(r *story) {
		l, q := r.limiter(sleeping), request(tokens("a", 2), stored("a", 50))
		r.mustAcquire(l, q)
		before := r.faults.Calls(limitertest.OpApply)
		c := r.meet(nil, slices.Repeat([]func() (engine.Decision, error){r.allow(l, q)}, 40)...)
		r.wantNoErrors(c)
		if c.admitted() != 24 {
			r.Errorf("%d were admitted, not 24", c.admitted())
		}
		if n := r.faults.Calls(limitertest.OpApply) - before; n > 3 {
			r.Errorf("%d writes for 40 callers", n)
		}
		r.wantLeft(r.limiter(), "afterwards", "a:0", q.Limits...)
		usage, err := l.BucketStates(context.Background(), []engine.BucketName{{Entity: user, Resource: api}})
		if r.must(err); usage[0].Acquires != 25 {
			r.Errorf("%d acquires were counted, not 25", usage[0].Acquires)
		}
	})
}

// meetingStatuses: each caller sees what its place in the order left.
func meetingStatuses(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter(sleeping)
		ask := func(n int64) func() (engine.Decision, error) {
			return r.allow(l, request(tokens("a", n), stored("a", 20)))
		}
		c := r.meet(nil, ask(1), ask(2), ask(3), ask(4), ask(15), ask(5))
		r.wantNoErrors(c)
		for i, want := range []int64{19, 17, 14, 10, 5, 5} {
			if s := c.decisions[i].Statuses(); len(s) != 1 || s[0].Remaining != want || s[0].Exceeded != (i == 4) {
				r.Errorf("caller %d sees %+v, not %d remaining", i, s, want)
			}
		}
	})
}

// meetingOwnReset: a caller who comes after this process's own reset is not denied by what a write before it has found.
func meetingOwnReset(r *story) {
	r.virtually(func(r *story) {
		l, q := r.limiter(sleeping), request(tokens("a", 10), stored("a", 10))
		r.mustAcquire(r.limiter(), q)
		hold, sent := make(chan struct{}), 0
		r.faults.SetHooks(nil, func(_ context.Context, call limitertest.Call) {
			if call.Op != limitertest.OpApply {
				return
			}
			if sent++; sent == 1 {
				<-hold
			}
		})
		var before, after engine.Decision
		var errs [2]error
		var all sync.WaitGroup
		all.Go(func() { before, errs[0] = r.allow(l, q)() })
		synctest.Wait()
		r.must(l.ResetBucket(context.Background(), user, api))
		all.Go(func() { after, errs[1] = r.allow(l, q)() })
		synctest.Wait()
		close(hold)
		all.Wait()
		r.must(errors.Join(errs[:]...))
		if before.Allowed || !after.Allowed {
			r.Errorf("the caller before the reset is admitted: %v; the one after it: %v", before.Allowed, after.Allowed)
		}
	})
}

// meetingLeave: a caller whose context ends while it waits returns at once, and its tokens are there again.
func meetingLeave(r *story) {
	r.virtually(func(r *story) {
		l, q := r.limiter(sleeping), request(tokens("a", 5), stored("a", 20))
		ctx, cancel := context.WithCancel(context.Background())
		hold, sent := make(chan struct{}), 0
		quit := func() (engine.Decision, error) { return l.Allow(ctx, q) }
		c := r.meet(func() {
			r.faults.SetHooks(nil, func(context.Context, limitertest.Call) {
				if sent++; sent == 2 { // the shared write has taken effect, its reply is on the way
					<-hold
				}
			})
			go func() {
				synctest.Wait()
				cancel()
				synctest.Wait()
				close(hold)
			}()
		}, r.allow(l, q), r.allow(l, q), quit)
		if c.admitted() != 2 || !errors.Is(c.errs[2], context.Canceled) {
			r.Errorf("%d were admitted, %v", c.admitted(), c.errs)
		}
		r.clock.advance(time.Second)
		r.must(l.Close()) // writes what waits for a write
		r.wantLeft(r.limiter(), "after one has left", "a:10", q.Limits...)
	})
}

// meetingLostReplies: a shared write whose reply is lost is charged once.
func meetingLostReplies(r *story) {
	for _, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest} {
		r.virtually(func(r *story) {
			l, q := r.limiter(sleeping), request(tokens("a", 1), stored("a", 20))
			q.Entity = fmt.Sprintf("user-%d", act)
			c := r.meet(func() {
				n := 0
				r.faults.SetPlan(func(call limitertest.Call) limitertest.Act {
					if n++; n == 1 {
						return act
					}
					return limitertest.Pass
				})
			}, slices.Repeat([]func() (engine.Decision, error){r.allow(l, q)}, 10)...)
			r.faults.SetPlan(nil)
			if r.wantNoErrors(c); c.admitted() != 10 {
				r.Errorf("%d of 10 were admitted", c.admitted())
			}
			r.wantLeftOf(r.limiter(), q.Entity, "afterwards", "a:10", q.Limits...)
		})
	}
}

// meetingOutage: all that share a write get its error, and the policy decides for each of them.
func meetingOutage(r *story) {
	for _, p := range policies {
		r.virtually(func(r *story) {
			l, q := r.limiter(under(p)), request(tokens("a", 1), stored("a", 20))
			r.mustAcquire(l, q)
			c := r.meet(func() { r.faults.SetPlan(limitertest.Always(limitertest.Fail)) },
				slices.Repeat([]func() (engine.Decision, error){r.allow(l, q)}, 10)...)
			r.faults.SetPlan(nil)
			for i, err := range c.errs[1:] { // the first one's write was sent before
				switch d := c.decisions[i+1]; {
				case p == engine.PolicyAllow && (err != nil || !d.Degraded), p == engine.PolicyBlock && !errors.Is(err, engine.ErrUnavailable):
					r.Errorf("caller %d, under %v: allowed is %v, %v", i+1, p, d.Allowed, err)
				}
			}
			r.clock.advance(longestPause)
		})
	}
}

// meetingConversion: the limits change while callers wait. All of them are judged by the new ones.
func meetingConversion(r *story) {
	r.virtually(func(r *story) {
		l, other := r.limiter(sleeping, func(o *engine.Options) { o.ConfigTTL = -1 }), r.limiter(sleeping)
		r.must(other.SetLimits(context.Background(), user, api, []engine.Limit{stored("a", 100)}))
		q := request(tokens("a", 1))
		r.mustAcquire(l, q)
		call := r.allow(l, q)
		c := r.meet(func() {
			r.faults.SetHooks(nil, nil)
			r.must(other.SetLimits(context.Background(), user, api, []engine.Limit{stored("a", 10)}))
		}, slices.Repeat([]func() (engine.Decision, error){call}, 30)...)
		if r.wantNoErrors(c); c.admitted() > 10 {
			r.Errorf("%d were admitted by a limit of 10", c.admitted())
		}
		r.wantLeft(r.limiter(), "afterwards", "a:0")
	})
}

// meetingReset: a bucket that is reset while callers wait is full for them.
func meetingReset(r *story) {
	r.virtually(func(r *story) {
		l, other, q := r.limiter(sleeping), r.limiter(sleeping), request(tokens("a", 1), stored("a", 10))
		r.mustAcquire(l, request(tokens("a", 9), stored("a", 10)))
		c := r.meet(func() { r.must(other.ResetBucket(context.Background(), user, api)) },
			slices.Repeat([]func() (engine.Decision, error){r.allow(l, q)}, 12)...)
		if r.wantNoErrors(c); c.admitted() != 10 {
			r.Errorf("%d were admitted after the reset, not 10", c.admitted())
		}
	})
}

// meetingHung: a write that hangs holds up others only for a while: the next one starts beside it.
func meetingHung(r *story) {
	r.virtually(func(r *story) {
		now := time.Now()
		clock := func() time.Time { return r.clock.Now().Add(time.Since(now)) }
		l, q := r.limiter(sleeping, func(o *engine.Options) { o.Now, o.Timeout = clock, budget }), request(tokens("a", 1), stored("a", 20))
		r.mustAcquire(l, q)
		n := 0
		r.faults.SetPlan(func(limitertest.Call) limitertest.Act {
			if n++; n == 1 {
				return limitertest.Hang
			}
			return limitertest.Pass
		})
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				start := time.Now()
				d, err := l.Allow(context.Background(), q)
				if took := time.Since(start); i > 0 && (err != nil || !d.Allowed || took > budget/10) {
					r.Errorf("caller %d behind a write that hangs: %v, %v, after %v", i, d.Allowed, err, took)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		r.faults.SetPlan(nil)
	})
}

// meetingParents: children of one parent share its writes, and are refunded what another bucket denies.
func meetingParents(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter(sleeping)
		r.mustEntity(l, engine.Entity{ID: "team"})
		r.must(l.SetLimits(context.Background(), "team", api, []engine.Limit{stored("a", 10)}))
		var calls []func() (engine.Decision, error)
		for i := range 20 {
			child := fmt.Sprintf("child-%d", i)
			r.mustEntity(l, engine.Entity{ID: child, Parent: "team", Cascade: true})
			r.must(l.SetLimits(context.Background(), child, api, []engine.Limit{stored("a", int64(1+i%2*4))}))
			q := request(tokens("a", 2))
			q.Entity = child
			calls = append(calls, r.allow(l, q))
		}
		c := r.meet(nil, calls...)
		if r.wantNoErrors(c); c.admitted() != 5 {
			r.Errorf("%d children were admitted, not 5", c.admitted())
		}
		r.wantLeftOf(r.limiter(), "team", "afterwards", "a:0")
	})
}

// meetingConsume: a lease that takes more does not count as another acquire, and settles what it shares.
func meetingConsume(r *story) {
	r.virtually(func(r *story) {
		l, q := r.limiter(sleeping), request(tokens("a", 1), stored("a", 30))
		lease := r.mustAcquire(l, q)
		more := func() (d engine.Decision, err error) { return d, lease.Consume(context.Background(), tokens("a", 4)) }
		c := r.meet(nil, r.allow(l, q), more, r.allow(l, q))
		r.wantNoErrors(c)
		if got := amounts(lease.Consumed()); got != "a:5" {
			r.Errorf("the lease holds %s, not a:5", got)
		}
		r.must(lease.Rollback(context.Background()))
		r.wantLeft(r.limiter(), "afterwards", "a:28", q.Limits...)
		states, err := l.BucketStates(context.Background(), []engine.BucketName{{Entity: user, Resource: api}})
		if r.must(err); states[0].Acquires != 3 {
			r.Errorf("%d acquires were counted, not 3", states[0].Acquires)
		}
	})
}

// meetingClose: those who wait when the limiter closes get ErrClosed, and nothing of theirs is charged.
func meetingClose(r *story) {
	r.virtually(func(r *story) {
		l, q := r.limiter(sleeping), request(tokens("a", 1), stored("a", 30))
		var closed sync.WaitGroup
		c := r.meet(func() { closed.Go(func() { _ = l.Close() }); synctest.Wait() },
			slices.Repeat([]func() (engine.Decision, error){r.allow(l, q)}, 5)...)
		closed.Wait()
		for i, err := range c.errs[1:] {
			if !errors.Is(err, engine.ErrClosed) {
				r.Errorf("caller %d: %v", i+1, err)
			}
		}
		r.wantLeft(r.limiter(), "afterwards", "a:29", q.Limits...)
	})
}
