package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// neverOverAdmits proves the bound for random histories: what is admitted and not refunded never exceeds capacity + rate·T
// for each life of the bucket, whatever goes wrong.
var neverOverAdmits = stories{
	{"Alone", func(r *engineTest) { r.chaos(chaos{processes: 1}) }},
	{"Together", func(r *engineTest) { r.chaos(chaos{processes: 3}) }},
	{"Faults", func(r *engineTest) { r.slow().chaos(chaos{processes: 3, faults: true}) }},
	{"ClocksApart", func(r *engineTest) { r.chaos(chaos{processes: 3, apart: 5 * time.Second}) }},
	{"ClocksStepBack", func(r *engineTest) {
		r.slow().chaos(chaos{processes: 3, apart: 5 * time.Second, steps: true, faults: true})
	}},
	{"AtOnce", func(r *engineTest) { r.slow().atOnce(0) }},
	{"AtOnceWithFaults", func(r *engineTest) { r.slow().atOnce(.2) }},
}

// chaos says what may go wrong.
type chaos struct {
	processes int
	apart     time.Duration // clocks are that far ahead or behind
	steps     bool          // clocks step to and fro between that
	faults    bool
}

// history is one random run: its processes, and what they have admitted.
type history struct {
	*rapid.T
	test   *engineTest
	chaos  chaos
	entity string
	limits []engine.Limit
	begun  int64
	clocks []*settable
	all    []*engine.Limiter
	held   []*engine.Lease
	bounds map[string]*bound // of each limit: what was admitted and not refunded, as far as the leases know
}

// chaosLimits refill often, sometimes, and rarely.
var chaosLimits = []engine.Limit{
	engine.PerSecond("a", 5), engine.Every("b", 7, 13*time.Second).WithBurst(11), engine.PerDay("c", 30).WithBurst(40),
}

func (r *engineTest) chaos(c chaos) {
	runs := 0
	rapid.Check(r.T, func(t *rapid.T) {
		runs++
		r.faults.SetPlan(nil)
		h := &history{
			T: t, test: r, chaos: c, entity: fmt.Sprintf("user-%d", runs), begun: epoch + int64(runs)*int64(time.Hour),
			limits: chaosLimits[:rapid.IntRange(1, len(chaosLimits)).Draw(t, "limits")], bounds: map[string]*bound{},
		}
		for _, l := range h.limits { // late refunds reach the bucket after they were noted
			h.bounds[l.Name] = &bound{limit: l, slack: 2 * c.apart, sinceBegin: true}
		}
		for range c.processes {
			clock := newClock(0)
			l, err := engine.New(r.store, r.options(by(clock)))
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			h.clocks, h.all = append(h.clocks, clock), append(h.all, l)
		}
		defer h.close()
		h.tick(0)
		if c.faults {
			r.faults.SetPlan(limitertest.Random(rapid.Uint64().Draw(t, "faults"), map[limitertest.Act]float64{limitertest.Fail: .05, limitertest.LoseRace: .05, limitertest.LoseRequest: .1, limitertest.LoseReply: .1, limitertest.Late: .05}))
		}
		t.Repeat(map[string]func(*rapid.T){
			"acquire": h.acquire, "acquire more": h.acquire, "acquire again": h.acquire, "settle": h.settle, "advance": h.advance, "reset": h.reset,
			"release late writes": func(*rapid.T) { r.faults.Release(context.Background()) },
			"":                    h.checkBounds,
		})
	})
	r.faults.SetPlan(nil)
}

func (h *history) close() {
	for _, l := range h.all {
		_ = l.Close() // never fails
	}
}

// tick advances the time and sets the clocks.
func (h *history) tick(d time.Duration) {
	h.test.clock.set(max(h.test.clock.ns.Load(), h.begun) + int64(d))
	for i, c := range h.clocks {
		ahead := h.chaos.apart
		switch {
		case h.chaos.steps:
			ahead = time.Duration(rapid.Int64Range(-int64(h.chaos.apart), int64(h.chaos.apart)).Draw(h.T, "ahead"))
		case i%2 == 1:
			ahead = -ahead
		}
		c.set(h.test.clock.ns.Load() + int64(ahead))
	}
}

// pick draws a process.
func (h *history) pick(t *rapid.T) *engine.Limiter {
	return h.all[rapid.IntRange(0, len(h.all)-1).Draw(t, "process")]
}

// trouble reports whether an error is one that faults cause.
func trouble(err error) bool {
	return errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrContention)
}

func (h *history) acquire(t *rapid.T) {
	consume := engine.Tokens{}
	for _, l := range h.limits {
		if n := rapid.Int64Range(0, 6).Draw(t, l.Name); n < 5 {
			consume[l.Name] = n
		}
	}
	consume["a"] = max(consume["a"], 1)
	lease, err := h.pick(t).Acquire(h.test.Context(), engine.Request{Entity: h.entity, Resource: api, Consume: consume, Limits: h.limits})
	var exceeded *engine.ExceededError
	switch {
	case err == nil:
		h.held = append(h.held, lease)
		for name, n := range consume {
			h.bounds[name].admit(h.elapsed(), n)
		}
	case !errors.As(err, &exceeded) && !trouble(err):
		t.Fatalf("Acquire: %v", err)
	}
}

// settle rolls back a lease, or releases a part of it.
func (h *history) settle(t *rapid.T) {
	if len(h.held) == 0 {
		return
	}
	i := rapid.IntRange(0, len(h.held)-1).Draw(t, "lease")
	lease := h.held[i]
	var err error
	back := lease.Consumed()
	if rapid.Bool().Draw(t, "rollback") {
		err = lease.Rollback(h.test.Context())
		h.held = append(h.held[:i], h.held[i+1:]...)
	} else {
		for _, l := range h.limits {
			back[l.Name] = rapid.Int64Range(0, max(back[l.Name], 0)).Draw(t, "back")
		}
		err = lease.Release(h.test.Context(), back)
	}
	var invalid *engine.ValidationError
	switch {
	case errors.As(err, &invalid): // of what a lease has consumed, a reset may have left it less to refund
		return
	case err != nil && !trouble(err):
		t.Fatalf("settling: %v", err)
	}
	for name, n := range back { // whatever became of it: no more can have gone back
		h.bounds[name].admit(h.elapsed(), -n)
	}
}

func (h *history) advance(t *rapid.T) {
	h.tick(time.Duration(rapid.Int64Range(0, int64(4*time.Second)).Draw(t, "advance")))
}

// reset begins a new life now and then, but rarely, because that makes the bound wide.
func (h *history) reset(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "really") > 0 {
		return
	}
	err := h.pick(t).ResetBucket(h.test.Context(), h.entity, api)
	if err != nil && !trouble(err) {
		t.Fatalf("ResetBucket: %v", err)
	}
	for _, b := range h.bounds {
		b.begin(h.elapsed())
	}
}

func (h *history) elapsed() time.Duration { return time.Duration(h.test.clock.ns.Load() - h.begun) }

// checkBounds compares what was admitted so far with the guarantee.
func (h *history) checkBounds(t *rapid.T) {
	for _, b := range h.bounds {
		if broken := b.broken(); broken != "" {
			t.Fatalf("%s", broken)
		}
	}
}

// atOnce has actors of several processes acquire and roll back at the same virtual time, with faults in a share of all requests,
// and compares every moment with the bound.
func (r *engineTest) atOnce(share float64) {
	for seed := range uint64(r.of(3, 1)) { //nolint:gosec // a few
		s, entity := newSimulation(seed), fmt.Sprintf("user-%d", seed)
		if share > 0 {
			r.faults.SetPlan(limitertest.Random(seed, map[limitertest.Act]float64{limitertest.Fail: share / 4, limitertest.LoseRequest: share / 4, limitertest.LoseReply: share / 4, limitertest.LoseRace: share / 4}))
		}
		limit, admissions, last := engine.PerSecond("a", 20).WithBurst(40), 0, error(nil)
		b := bound{limit: limit, slack: 2 * slowest, sinceBegin: true}
		book := func(n int64) {
			now := s.now()
			s.note(func() {
				admissions++
				if b.admit(now, n); b.broken() != "" {
					r.Errorf("seed %d: %s", s.seed, b.broken())
				}
			})
		}
		for i := range 12 {
			l, n := r.limiter(s.clock(0)), int64(i%5+1)
			q := engine.Request{Entity: entity, Resource: api, Consume: tokens("a", n), Limits: []engine.Limit{limit}}
			s.actor(0, func() {
				for s.now() < 10*time.Second && !r.Failed() {
					lease, err := l.Acquire(r.Context(), q)
					if err != nil {
						s.note(func() { last = err })
						s.pause(s.between(0, 100*time.Millisecond))
						continue
					}
					book(n)
					if s.pause(s.between(0, 300*time.Millisecond)); s.between(0, 2) == 0 {
						book(-n)
						_ = lease.Rollback(r.Context())
					}
				}
			})
		}
		s.delay(r, time.Millisecond, slowest) // not before: limiters of other seeds may still look for changes
		s.run()
		r.faults.SetHooks(nil, nil)
		r.faults.SetPlan(nil)
		if admissions < 50 {
			r.Errorf("seed %d: only %d acquires were admitted; the last one that was not ended with: %v", seed, admissions, last)
		}
	}
}
