package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// shortDeadline is the deadline of callers that wait for less than the budget.
const shortDeadline = budget / 2

// longestPause is longer than any pause of the breaker between two probes.
const longestPause = 10 * time.Second

// hurried has n goroutines acquire at once, each with a short deadline, before which the policy must answer. It returns how many
// waited for the store, and how many requests the store got.
func (r *story) hurried(what string, l *engine.Limiter, p engine.Policy, n int, q engine.Request) (waited, requests int) {
	r.Helper()
	calls := func() int { return r.faults.Calls(limitertest.OpApply) + r.faults.Calls(limitertest.OpRead) }
	before, begin := calls(), time.Now()
	var (
		all  sync.WaitGroup
		slow atomic.Int64
	)
	for range n {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), shortDeadline)
			defer cancel()
			start := time.Now()
			lease, err := l.Acquire(ctx, q)
			took := time.Since(start)
			if ctx.Err() != nil || took >= shortDeadline {
				r.Errorf("%s, under %v: answered after %v, its deadline is %v", what, p, took, shortDeadline)
			}
			r.answer(what, p, lease, err)
			if took > 0 {
				slow.Add(1)
			}
		})
	}
	all.Wait()
	r.clock.advance(time.Since(begin))
	return int(slow.Load()), calls() - before
}

// outageShortDeadlines: the store hangs, and callers have deadlines shorter than the budget. The policy answers each of them
// before its deadline, and at once if the breaker is open, except for one probe after each pause.
func outageShortDeadlines(r *story) {
	for _, act := range []limitertest.Act{limitertest.Hang, limitertest.HangDeaf} {
		for _, p := range policies {
			l, q := r.limiter(under(p)), request(tokens("a", 1), stored("a", 1000))
			r.mustAcquire(l, q)
			r.virtually(func(r *story) {
				r.faults.SetPlan(limitertest.Always(act))
				r.hurriedUntilOpen(l, p, q)
			})
			r.faults.SetPlan(nil)
			r.clock.advance(longestPause)
			if lease := r.mustAcquire(l, q); lease.Degraded() {
				r.Errorf("degraded after the store came back")
			}
		}
	}
}

// outageFirstUseDeadlines is the same before the configuration was read, which callers of one bucket do together.
func outageFirstUseDeadlines(r *story) {
	for i, act := range []limitertest.Act{limitertest.Hang, limitertest.HangDeaf} {
		p := policies[i]
		l, q := r.limiter(under(p)), request(tokens("a", 1), stored("a", 1000))
		r.virtually(func(r *story) {
			r.faults.SetPlan(limitertest.Always(act))
			r.hurriedUntilOpen(l, p, q)
			r.wait(2 * budget) // for what was begun on behalf of all
		})
		r.faults.SetPlan(nil)
	}
}

func (r *story) hurriedUntilOpen(l *engine.Limiter, p engine.Policy, q engine.Request) {
	r.Helper()
	r.hurried("the first of a crowd", l, p, 100, q)
	for range 3 {
		if waited, requests := r.hurried("with an open breaker", l, p, 100, q); waited != 0 || requests != 0 {
			r.Errorf("with an open breaker, before the pause is over: %d of 100 waited, for %d requests", waited, requests)
		}
		r.clock.advance(longestPause)
		if waited, requests := r.hurried("after the pause", l, p, 100, q); waited != 1 || requests != 1 {
			r.Errorf("with an open breaker, after the pause: %d of 100 waited, for %d requests; one probes", waited, requests)
		}
	}
}

// outageOneCaller: a single caller that makes one request after the other waits for a probe at most once after each pause of the
// breaker, which grows from one second to ten.
func outageOneCaller(r *story) {
	const timeout = 300 * time.Millisecond
	var begun atomic.Int64 // in virtual time the clock goes on by itself: since then, in ns since the Unix epoch; 0: it stands
	now := func() time.Time {
		if begin := begun.Load(); begin != 0 {
			return r.clock.Now().Add(time.Since(time.Unix(0, begin)))
		}
		return r.clock.Now()
	}
	one := func(o *engine.Options) { o.Timeout, o.ConfigTTL, o.Now = timeout, time.Hour, now }
	for _, act := range []limitertest.Act{limitertest.Hang, limitertest.Fail} {
		for _, p := range policies {
			l, q := r.limiter(under(p), one), request(tokens("a", 1), stored("a", 1000))
			r.mustAcquire(l, q)
			r.virtually(func(r *story) {
				r.faults.SetPlan(limitertest.Always(act))
				begin := time.Now()
				begun.Store(begin.UnixNano())
				var calls []span
				for range 800 {
					before, start := r.faults.Calls(limitertest.OpApply), now()
					lease, err := l.Acquire(context.Background(), q)
					r.answer("one request after the other", p, lease, err)
					took := now().Sub(start)
					switch asked := r.faults.Calls(limitertest.OpApply) > before; {
					case took > timeout:
						r.Errorf("a request took %v, its budget is %v", took, timeout)
					case asked:
						calls = append(calls, span{start, now()})
					case took > 0:
						r.Errorf("a request waited %v for nothing", took)
					}
					r.wait(100 * time.Millisecond)
				}
				r.clock.advance(time.Since(begin))
				begun.Store(0)
				r.wantPauses(calls)
			})
			r.faults.SetPlan(nil)
			r.clock.advance(longestPause)
			r.mustAcquire(l, q)
			if lease := r.mustAcquire(l, q); lease.Degraded() {
				r.Errorf("degraded after the store came back")
			}
		}
	}
}

// span is from the beginning of a call to its end.
type span struct{ begin, end time.Time }

// wantPauses wants pauses of 1, 2, 4, 8, 8 … s, and at most a quarter more, between the last calls of the store. Before the
// breaker opened there were none of a second.
func (r *story) wantPauses(calls []span) {
	r.Helper()
	const step = 100 * time.Millisecond
	var pauses []time.Duration
	for i := range calls[1:] {
		if pause := calls[i+1].begin.Sub(calls[i].end); len(pauses) > 0 || pause >= time.Second {
			pauses = append(pauses, pause)
		}
	}
	if len(pauses) < 8 {
		r.Fatalf("the pauses are %v: more probes are due", pauses)
	}
	least := time.Second
	for i, pause := range pauses {
		if pause < least || pause > least+least/4+step {
			r.Errorf("the pauses between probes are %v: number %d should be %v to %v", pauses, i+1, least, least+least/4)
			return
		}
		least = min(2*least, 8*time.Second)
	}
}
