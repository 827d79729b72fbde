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

// TestWaiting tells how callers of Wait wait.
func TestWaiting(t *testing.T) { tellOnEachKind(t, waits, false) }

var waits = stories{
	{"InOrder", waitInOrder},
	{"Large", waitLarge},
	{"Deadlines", waitDeadlines},
	{"Leave", waitLeave},
	{"Settle", waitSettle},
	{"Parents", waitParents},
	{"Conversion", waitConversion},
	{"Reset", waitReset},
	{"DifferentLimits", waitDifferentLimits},
	{"Close", waitClose},
	{"Off", waitOff},
	{"Beyond", waitBeyond},
	{"Zeros", waitZeros},
}

// waiters are limiters in virtual time and what became of the callers of Wait.
type waiters struct {
	*story
	all   sync.WaitGroup
	mu    sync.Mutex
	order []string // who was admitted, in order
	errs  map[string]error
	after map[string]time.Duration // when the caller got its answer
	start time.Time
}

// waiters tells a story in virtual time.
func (r *story) waiters(f func(w *waiters)) {
	r.Helper()
	r.virtually(func(r *story) {
		w := &waiters{story: r, errs: map[string]error{}, after: map[string]time.Duration{}, start: time.Now()}
		f(w)
	})
}

// virtual makes the limiter's clock and sleep those of the bubble.
func virtual(o *engine.Options) { o.Now, o.Sleep, o.Timeout = shifted, nil, budget }

// come lets a caller wait, and others come after it.
func (w *waiters) come(ctx context.Context, l *engine.Limiter, who string, q engine.Request) {
	w.all.Go(func() {
		_, err := l.Wait(ctx, q)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.errs[who], w.after[who] = err, time.Since(w.start).Round(time.Millisecond); err == nil {
			w.order = append(w.order, who)
		}
	})
	synctest.Wait()
}

// each asks for n tokens of a limit that refills one a second, up to ten.
func each(n int64) engine.Request {
	return request(tokens("a", n), engine.Limit{Name: "a", Capacity: 10, RefillAmount: 1, RefillPeriod: time.Second})
}

// empty takes all tokens of the bucket.
func (w *waiters) empty(l *engine.Limiter) { w.mustAcquire(l, each(10)) }

// inDebt returns a limiter whose bucket is in debt for five seconds.
func (w *waiters) inDebt() *engine.Limiter {
	l := w.limiter(virtual)
	lease := w.mustAcquire(l, each(10))
	w.must(lease.Adjust(tokens("a", 5)))
	w.must(lease.Commit(context.Background()))
	return l
}

// err is what a caller got.
func (w *waiters) err(who string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.errs[who]
}

func (w *waiters) wantOrder(want ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.order, want) {
		w.Errorf("admitted in the order %v, not %v: %v", w.order, want, w.errs)
	}
}

func (w *waiters) wantAfter(who string, want time.Duration) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.after[who] != want {
		w.Errorf("%s was answered after %v, not %v: %v", who, w.after[who], want, w.errs[who])
	}
}

// wantRecorded wants the usage that is recorded to be that of so many acquires and tokens.
func (w *waiters) wantRecorded(entity string, acquires, used int64) {
	w.Helper()
	states, err := w.limiter(virtual).BucketStates(context.Background(), []engine.BucketName{{Entity: entity, Resource: api}})
	if w.must(err); len(states) != 1 || states[0].Acquires != acquires || states[0].Limits[0].Used != used {
		w.Errorf("%s: recorded is %+v, not %d acquires of %d tokens", entity, states, acquires, used)
	}
}

// waitInOrder: callers of two processes are admitted in the order in which they came, with one write each.
func waitInOrder(r *story) {
	r.waiters(func(w *waiters) {
		ls := []*engine.Limiter{w.limiter(virtual), w.limiter(virtual)}
		w.empty(ls[0])
		w.mustDeny(ls[1], each(1))
		before := w.faults.Calls(limitertest.OpApply)
		var want []string
		for i := range 10 {
			who := fmt.Sprint(i)
			w.come(context.Background(), ls[i%2], who, each(1))
			want = append(want, who)
		}
		w.all.Wait()
		if n := w.faults.Calls(limitertest.OpApply) - before; n > 12 {
			w.Errorf("%d writes for 10 admissions", n)
		}
		w.wantOrder(want...)
		w.wantAfter("0", time.Second)
		w.wantAfter("9", 10*time.Second)
		w.wantRecorded(user, 11, 20)
	})
}

// waitLarge: a request for many tokens is served in its turn.
func waitLarge(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.empty(l)
		w.come(context.Background(), l, "one", each(1))
		w.come(context.Background(), l, "ten", each(10))
		w.come(context.Background(), l, "late", each(1))
		w.all.Wait()
		w.wantOrder("one", "ten", "late")
		w.wantAfter("ten", 11*time.Second)
		w.wantAfter("late", 12*time.Second)
	})
}

// waitDeadlines: a deadline before the tokens is a denial at once, without a write; one after them is not.
func waitDeadlines(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.empty(l)
		before := w.faults.Calls(limitertest.OpApply)
		for who, d := range map[string]time.Duration{"past": -time.Second, "zero": 0, "early": 997 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			w.come(ctx, l, who, each(1))
			var exceeded *engine.ExceededError
			if err := w.err(who); !errors.As(err, &exceeded) || !errors.Is(err, context.DeadlineExceeded) || exceeded.RetryAfter != time.Second || exceeded.NeverFits {
				w.Errorf("%s: %v, not a denial for a second that is the deadline", who, err)
			}
			w.wantAfter(who, 0)
		}
		if n := w.faults.Calls(limitertest.OpApply) - before; n > 0 {
			w.Errorf("%d writes for callers whose deadline is too early", n)
		}
		for who, d := range map[string]time.Duration{"just": 1003 * time.Millisecond, "year": 365 * 24 * time.Hour} {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			w.come(ctx, l, who, each(1))
			w.all.Wait()
			w.must(w.err(who))
			w.emptyAgain(l)
		}
	})
}

// emptyAgain waits until the bucket is full, and empties it.
func (w *waiters) emptyAgain(l *engine.Limiter) {
	w.wait(11 * time.Second)
	w.empty(l)
	w.start = time.Now()
}

// waitLeave: who leaves passes its place to the next one, and nothing of it stays charged.
func waitLeave(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.empty(l)
		ctx, cancel := context.WithCancel(context.Background())
		w.come(context.Background(), l, "first", each(1))
		w.come(ctx, l, "leaves", each(1))
		w.come(context.Background(), l, "last", each(1))
		cancel()
		w.all.Wait()
		w.wantOrder("first", "last")
		w.wantAfter("leaves", 0)
		w.wantAfter("last", 2*time.Second)
		var exceeded *engine.ExceededError
		if err := w.err("leaves"); !errors.As(err, &exceeded) || !errors.Is(err, context.Canceled) || exceeded.RetryAfter != 2*time.Second {
			w.Errorf("who leaves gets %v", err)
		}
		w.wait(2 * time.Second)
		w.wantRecorded(user, 3, 12)
	})
}

// waitSettle: a lease that was waited for begins when it is admitted, and refunds what it holds.
func waitSettle(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual, func(o *engine.Options) { o.MaxHold = 5 * time.Second })
		w.empty(l)
		lease, err := l.Wait(context.Background(), each(10))
		w.must(err)
		if s := lease.Statuses(); len(s) != 1 || s[0].Remaining != 0 || s[0].Requested != 10 {
			w.Errorf("the lease says %+v", s)
		}
		w.wait(4 * time.Second)
		w.must(lease.Adjust(tokens("a", -2)))
		w.must(lease.Rollback(context.Background()))
		w.wantLeft(w.limiter(virtual), "after the refund", "a:10", each(1).Limits...)
		if lost := w.events.of(engine.EventRefundLost); len(lost) > 0 {
			w.Errorf("lost: %+v", lost)
		}
	})
}

// waitParents: tokens of a parent are reserved with those of its child, and the child waits for both.
func waitParents(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.mustEntity(l, engine.Entity{ID: "team"})
		w.must(l.SetLimits(context.Background(), "team", api, each(1).Limits))
		var want []string
		for i := range 4 {
			child := fmt.Sprintf("child-%d", i)
			w.mustEntity(l, engine.Entity{ID: child, Parent: "team", Cascade: true})
			w.must(l.SetLimits(context.Background(), child, api, []engine.Limit{{Name: "a", Capacity: 5, RefillAmount: 5, RefillPeriod: time.Second}}))
			q := request(tokens("a", 5))
			q.Entity = child
			w.come(context.Background(), l, child, q)
			if i > 1 {
				want = append(want, child)
			}
		}
		w.all.Wait()
		w.wantOrder(append([]string{"child-0", "child-1"}, want...)...)
		w.wantAfter("child-2", 5*time.Second)
		w.wantAfter("child-3", 10*time.Second)
		w.wantRecorded("team", 4, 20)
		w.wantRecorded("child-3", 1, 5)
	})
}

// waitConversion: the limits change while callers wait. Those who have reserved keep their places, and others come under the
// new limits.
func waitConversion(r *story) {
	r.waiters(func(w *waiters) {
		l, other := w.limiter(virtual), w.limiter(virtual)
		w.must(l.SetLimits(context.Background(), user, api, each(1).Limits))
		q := request(tokens("a", 10))
		w.mustAcquire(l, q)
		w.come(context.Background(), l, "before", q)
		w.must(other.SetLimits(context.Background(), user, api, []engine.Limit{engine.PerSecond("a", 100)}))
		w.wait(3 * time.Second)
		w.come(context.Background(), l, "after", q)
		w.all.Wait()
		w.must(w.err("before"))
		w.must(w.err("after"))
		if w.after["after"] > 4*time.Second {
			w.Errorf("under the new limit, a caller waits until %v", w.after["after"])
		}
	})
}

// waitReset: who comes after a reset by its own process does not wait.
func waitReset(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.empty(l)
		w.come(context.Background(), l, "before", each(5))
		w.must(l.ResetBucket(context.Background(), user, api))
		w.come(context.Background(), l, "after", each(10))
		w.wantAfter("after", 0)
		w.must(w.err("after"))
		w.all.Wait()
		w.wantAfter("before", 5*time.Second)
		w.must(w.err("before"))
	})
}

// waitDifferentLimits: callers that bring different limits wait for one bucket, and all of them are admitted.
func waitDifferentLimits(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.empty(l)
		other := each(1)
		other.Limits = append(slices.Clone(other.Limits), engine.PerSecond("b", 100))
		for i := range 6 {
			q := each(1)
			if i%2 == 1 {
				q = other
			}
			w.come(context.Background(), l, fmt.Sprint(i), q)
		}
		w.all.Wait()
		if len(w.order) != 6 {
			w.Errorf("%v were admitted: %v", w.order, w.errs)
		}
	})
}

// waitClose: those who wait when the limiter closes get ErrClosed, and what they have reserved is refunded.
func waitClose(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.empty(l)
		for i := range 5 {
			w.come(context.Background(), l, fmt.Sprint(i), each(3))
		}
		w.must(l.Close())
		w.all.Wait()
		for who, err := range w.errs {
			if !errors.Is(err, engine.ErrClosed) {
				w.Errorf("caller %s: %v", who, err)
			}
		}
		if _, err := l.Wait(context.Background(), each(1)); !errors.Is(err, engine.ErrClosed) {
			w.Errorf("Wait after Close: %v", err)
		}
		w.wantLeft(w.limiter(virtual), "afterwards", "a:0", each(1).Limits...)
		w.wantRecorded(user, 1, 10)
	})
}

// waitOff: without reservations, callers that do not wait find the tokens.
func waitOff(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual, func(o *engine.Options) { o.MaxReserve = -1 })
		w.empty(l)
		w.come(context.Background(), l, "one", each(2))
		w.come(context.Background(), l, "two", each(1))
		w.wait(1500 * time.Millisecond)
		w.mustAcquire(l, each(1))
		w.all.Wait()
		w.wantOrder("one", "two")
		w.wantAfter("one", 3*time.Second)
	})
}

// waitBeyond: a queue that is longer than the reach is served in order, within its time.
func waitBeyond(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual, func(o *engine.Options) { o.MaxReserve = 3 * time.Second })
		w.empty(l)
		var want []string
		for i := range 12 {
			w.come(context.Background(), l, fmt.Sprint(i), each(1))
			want = append(want, fmt.Sprint(i))
		}
		w.all.Wait()
		w.wantOrder(want...)
		w.wantAfter("11", 12*time.Second)
		for _, tooLong := range []time.Duration{time.Hour + 1, 1 << 62} {
			_, err := engine.New(w.store, w.options(func(o *engine.Options) { o.MaxReserve = tooLong }))
			w.wantInvalid(fmt.Sprint("MaxReserve of ", tooLong), err)
		}
		_, err := engine.New(w.store, w.options(func(o *engine.Options) { o.MaxReserve = time.Hour }))
		w.must(err)
	})
}

// waitZeros: a request of zeros waits until nothing is in debt, and reserves nothing.
func waitZeros(r *story) {
	r.waiters(func(w *waiters) {
		l := w.inDebt()
		w.come(context.Background(), l, "zeros", each(0))
		w.all.Wait()
		w.must(w.err("zeros"))
		if after := w.after["zeros"]; after < 5*time.Second || after > 5*time.Second+20*time.Millisecond {
			w.Errorf("in debt for 5 s, a request of zeros waits %v", after)
		}
	})
}
