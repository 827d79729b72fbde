package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// TestLeasesOnEveryPath proves that a lease moves exactly the tokens that it reports, in whatever way it was acquired.
func TestLeasesOnEveryPath(t *testing.T) { tellOnEachKind(t, leases, false) }

var leases = stories{
	{"FirstUse", func(r *story) { r.atEachPath(pathFirstUse) }},
	{"LiveBucket", func(r *story) { r.atEachPath(pathLive) }},
	{"FullAgain", func(r *story) { r.atEachPath(pathFullAgain) }},
	{"WrongView", func(r *story) { r.atEachPath(pathWrongView) }},
	{"Converted", func(r *story) { r.atEachPath(pathConverted) }},
	{"OtherLimits", func(r *story) { r.atEachPath(pathOtherLimits) }},
	{"Debt", leaseDebt},
	{"Gate", leaseGate},
	{"BelowZero", leaseBelowZero},
	{"Range", leaseRange},
	{"UnknownNames", leaseUnknown},
	{"Closed", leaseClosed},
	{"Nil", leaseNil},
	{"MaxHold", leaseMaxHold},
	{"ManyHands", leaseManyHands},
	{"LimitsChanged", leaseLimitsChanged},
	{"LimitComesBack", leaseLimitComesBack},
	{"Zeros", leaseZeros},
}

// path brings a bucket into a state and returns a lease of 10 a, after which exactly 10 a are used.
type path func(r *story, l *engine.Limiter, q engine.Request) *engine.Lease

func pathFirstUse(r *story, l *engine.Limiter, q engine.Request) *engine.Lease {
	return r.mustAcquire(l, q)
}

func pathLive(r *story, l *engine.Limiter, q engine.Request) *engine.Lease {
	q.Consume = tokens("a", 4)
	r.mustAcquire(l, q)
	q.Consume = tokens("a", 6)
	lease := r.mustAcquire(l, q)
	r.must(lease.Adjust(tokens("a", 4))) // the lease holds 10, the bucket has given 14
	r.must(lease.Flush(r.Context()))
	r.clock.advance(aDay / 100 * 4)
	return lease
}

func pathFullAgain(r *story, l *engine.Limiter, q engine.Request) *engine.Lease {
	r.mustAcquire(l, q)
	r.clock.advance(3 * aDay)
	return r.mustAcquire(l, q)
}

// pathWrongView has another process change the bucket before and after.
func pathWrongView(r *story, l *engine.Limiter, q engine.Request) *engine.Lease {
	other, big := r.limiter(), q
	big.Consume = engine.Tokens{"a": 20, "b": 20}
	r.must(r.mustAcquire(l, q).Rollback(r.Context()))
	held := r.mustAcquire(other, big)
	lease := r.mustAcquire(l, q)
	r.must(held.Rollback(r.Context()))
	return lease
}

// pathConverted has a bucket with other limits when it is acquired.
func pathConverted(r *story, l *engine.Limiter, q engine.Request) *engine.Lease {
	old := request(tokens("a", 5), stored("a", 33), stored("zz", 7))
	old.Entity, old.Resource = q.Entity, q.Resource
	lease := r.mustAcquire(r.limiter(), old)
	defer func() { r.must(lease.Rollback(r.Context())) }()
	return r.mustAcquire(l, q)
}

// pathOtherLimits has a bucket whose limits another process changes while the lease is held, so that others are between them.
func pathOtherLimits(r *story, l *engine.Limiter, q engine.Request) *engine.Lease {
	lease := r.mustAcquire(l, q)
	other := request(tokens("aa", 1))
	other.Entity, other.Resource = q.Entity, q.Resource
	other.Override = []engine.Limit{stored("a", 100), stored("aa", 1), stored("b", 100), stored("zz", 7)}
	r.mustAcquire(r.limiter(), other)
	return lease
}

// atEachPath does everything that a lease can do, with a limit that its request has named and one that it has not. The limits
// are in Request.Limits, stored, or in Request.Override.
func (r *story) atEachPath(way path) {
	limits := []engine.Limit{stored("a", 100), stored("b", 100)}
	for i, v := range []string{"brought", "stored", "override"} {
		for j, step := range leaseSteps {
			q := request(tokens("a", 10))
			q.Entity = fmt.Sprintf("user-%d-%d", i, j)
			l := r.limiter()
			switch v {
			case "brought":
				q.Limits = limits
			case "stored":
				r.must(l.SetLimits(r.Context(), q.Entity, api, limits))
			default:
				r.must(l.SetLimits(r.Context(), q.Entity, api, []engine.Limit{stored("a", 50), stored("b", 60)}))
				q.Override = limits
			}
			lease := way(r, l, q)
			if err := step.do(r, lease); err != nil {
				r.Fatalf("limits %s, %s: %v", v, step.name, err)
			}
			if got := amounts(lease.Consumed()); got != step.consumed {
				r.Errorf("limits %s, %s: Consumed is %s, not %s", v, step.name, got, step.consumed)
			}
			r.wantUsed(q, fmt.Sprintf("limits %s, %s", v, step.name), step.a, step.b)
		}
	}
}

// wantUsed compares, in a new process, how many of 100 a and b are used.
func (r *story) wantUsed(q engine.Request, what string, a, b int64) {
	r.Helper()
	probe := q
	probe.Consume = engine.Tokens{"a": 100, "b": 100}
	d, err := r.limiter().Allow(r.Context(), probe)
	if err != nil || d.Allowed && (a > 0 || b > 0) {
		r.Fatalf("%s: %+v, %v", what, d, err)
	}
	if d.Allowed {
		return // nothing was used before it
	}
	for _, s := range d.Statuses() {
		if used, want := 100-s.Remaining, map[string]int64{"a": a, "b": b}[s.Limit.Name]; used != want && len(s.Limit.Name) == 1 {
			r.Errorf("%s: %d of %s are used, not %d", what, used, s.Limit.Name, want)
		}
	}
}

// leaseSteps are what a lease of 10 a can do, and what is used then.
var leaseSteps = []struct {
	name     string
	do       func(*story, *engine.Lease) error
	a, b     int64
	consumed string
}{
	{"nothing", func(*story, *engine.Lease) error { return nil }, 10, 0, "a:10"},
	{"Commit", func(r *story, s *engine.Lease) error { return s.Commit(r.Context()) }, 10, 0, "a:10"},
	{"Rollback", func(r *story, s *engine.Lease) error { return s.Rollback(r.Context()) }, 0, 0, "a:0"},
	{"Adjust up", adjusting(engine.Tokens{"a": 5, "b": 7}), 15, 7, "a:15 b:7"},
	{"Adjust down", adjusting(engine.Tokens{"a": -10}), 0, 0, "a:0"},
	{"Adjust both ways", adjusting(engine.Tokens{"a": -3, "b": 7}), 7, 7, "a:7 b:7"},
	{"Adjust twice", adjusting(engine.Tokens{"a": 3}, engine.Tokens{"a": -5, "b": 1}), 8, 1, "a:8 b:1"},
	{"Consume", func(r *story, s *engine.Lease) error {
		return s.Consume(r.Context(), engine.Tokens{"a": 2, "b": 3})
	}, 12, 3, "a:12 b:3"},
	{"Release", func(r *story, s *engine.Lease) error { return s.Release(r.Context(), tokens("a", 4)) }, 6, 0, "a:6"},
	{"Adjust, Flush, Adjust, Commit", func(r *story, s *engine.Lease) error {
		return steps(func() error { return s.Adjust(tokens("b", 9)) }, func() error { return s.Flush(r.Context()) },
			func() error { return s.Adjust(engine.Tokens{"a": 1, "b": -4}) }, func() error { return s.Commit(r.Context()) },
			func() error { return s.Rollback(r.Context()) })
	}, 11, 5, "a:11 b:5"},
	{"Adjust, Consume, Release, Rollback", func(r *story, s *engine.Lease) error {
		return steps(func() error { return s.Adjust(tokens("b", 9)) }, func() error { return s.Flush(r.Context()) },
			func() error { return s.Consume(r.Context(), engine.Tokens{"a": 1, "b": 2}) },
			func() error { return s.Release(r.Context(), engine.Tokens{"a": 2, "b": 3}) },
			func() error { return s.Adjust(tokens("a", 50)) }, func() error { return s.Rollback(r.Context()) })
	}, 0, 0, "a:0"},
}

// adjusting adjusts, and commits.
func adjusting(deltas ...engine.Tokens) func(*story, *engine.Lease) error {
	return func(r *story, s *engine.Lease) error {
		for _, d := range deltas {
			if err := s.Adjust(d); err != nil {
				return err
			}
		}
		return s.Commit(r.Context())
	}
}

// steps calls functions until one fails.
func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// leaseManyHands uses one lease from many goroutines.
func leaseManyHands(r *story) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 1000), stored("b", 1000)}
	lease := r.mustAcquire(l, request(tokens("a", 100), limits...))
	var released atomic.Int64
	r.together(hands, func(i int) {
		for range 10 {
			if err := lease.Adjust(engine.Tokens{"a": 1, "b": 2}); err != nil {
				r.Errorf("Adjust: %v", err)
			}
			if err := lease.Consume(r.Context(), tokens("b", 1)); err != nil {
				r.Errorf("Consume: %v", err)
			}
			if i%2 == 0 && lease.Release(r.Context(), tokens("a", 2)) == nil {
				released.Add(2)
			}
			_, _ = lease.Consumed(), lease.Statuses()
		}
	})
	r.must(lease.Commit(r.Context()))
	used := 100 + 10*hands - released.Load()
	r.wantLeft(l, "many hands on one lease", fmt.Sprintf("a:%d b:%d", 1000-used, 1000-30*hands), limits...)
}

// leaseMaxHold: a refund later than MaxHold after its charge is void and counted; charges are made at any time.
func leaseMaxHold(r *story) {
	limits := []engine.Limit{engine.Every("a", 100, 1000*time.Hour), engine.Every("b", 100, 1000*time.Hour)}
	l := r.limiter(func(o *engine.Options) { o.MaxHold = time.Minute })
	inTime, late, mixed := r.mustAcquire(l, request(tokens("a", 10), limits...)), r.mustAcquire(l, request(tokens("a", 10), limits...)), r.mustAcquire(l, request(tokens("a", 10), limits...))
	r.clock.advance(time.Minute)
	r.must(inTime.Rollback(r.Context()))
	r.wantLeft(l, "refunded after exactly MaxHold", "a:80 b:100", limits...)
	r.clock.advance(1)
	r.must(late.Rollback(r.Context()))
	r.must(mixed.Adjust(engine.Tokens{"a": -10, "b": 5}))
	r.must(mixed.Commit(r.Context()))
	r.wantLeft(l, "refunded later", "a:80 b:95", limits...)
	if got := amounts(mixed.Consumed()); got != "a:10 b:5" {
		r.Errorf("a lease that came too late has consumed %s, not a:10 b:5", got)
	}
	lost := int64(0)
	for _, e := range r.events.of(engine.EventRefundLost) {
		lost += e.Tokens["a"]
	}
	if lost != 20 {
		r.Errorf("%d tokens were reported as not refunded, not 20", lost)
	}
	never := r.limiter(func(o *engine.Options) { o.MaxHold = -1 })
	lease := r.mustAcquire(never, request(tokens("a", 10), limits...))
	r.clock.advance(1)
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(never, "MaxHold is off", "a:70 b:95", limits...)
}
