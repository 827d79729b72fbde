package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/engine"
)

// TestLocal tells what the policy Local promises, over stores of each kind with I/O.
func TestLocal(t *testing.T) { tellOnEachKind(t, localStories, true) }

var localStories = stories{
	{"Share", localShare},
	{"Flaps", localFlaps},
}

// locally is an option: the policy Local, with a share.
func locally(share float64) func(*engine.Options) {
	return func(o *engine.Options) {
		o.OnUnavailable, o.LocalShare, o.Timeout = engine.PolicyLocal, share, budget
	}
}

// localShare: while the store is away, a process admits its share of the limit, and denies the rest, naming limit and level. When it
// is back, the usage is there in full.
func localShare(r *story) {
	l, q := r.limiter(locally(.1)), request(tokens("a", 1), stored("a", 100))
	r.mustAcquire(l, q)
	r.down()
	if n := r.take(l, q); n != 10 {
		r.Errorf("%d admitted, of 10", n)
	}
	e := r.mustDeny(l, q)
	if p := e.Primary(); p.Entity != user || p.Limit.Name != "a" || p.Limit.Capacity != 10 || p.Remaining != 0 || e.RetryAfter != aDay/10 {
		r.Errorf("denied by a local bucket: %+v, %v", p, e.RetryAfter)
	}
	r.up()
	r.must(l.Close())
	r.wantCounted("after the outage", "a:11", 11)
	r.wantLeft(r.limiter(), "after the outage", "a:89", q.Limits...)
}

// localFlaps: a store that comes and goes gives nobody another burst, and no token is charged twice.
func localFlaps(r *story) {
	l, q := r.limiter(locally(.1)), request(tokens("a", 1), stored("a", 100))
	r.mustAcquire(l, q)
	admitted := int64(1)
	r.virtually(func(r *story) {
		for range 5 {
			r.down()
			for range 4 {
				lease, err := l.Acquire(context.Background(), q)
				switch {
				case err == nil && lease.Degraded():
					admitted++
				case !errors.As(err, new(*engine.ExceededError)):
					r.Errorf("while the store is away: %v", err)
				}
			}
			r.up()
			r.clock.advance(longestPause)
			r.wait(5 * time.Second)
			r.wantLeft(r.limiter(), "after a flap", amounts(map[string]int64{"a": 100 - admitted}), q.Limits...)
		}
		r.must(l.Close())
	})
	if admitted != 11 {
		r.Errorf("%d admitted in all, of 11", admitted)
	}
	r.wantCounted("in the end", "a:11", 11)
}

// down makes every request to the store fail, until up.
func (r *story) down() { r.faults.SetPlan(conformance.Always(conformance.Fail)) }

func (r *story) up() { r.faults.SetPlan(nil) }

// wantCounted compares what the user's bucket has counted.
func (r *story) wantCounted(what, tokens string, acquires int64) {
	r.Helper()
	all, err := r.limiter().BucketStates(r.Context(), []engine.BucketName{{Entity: user, Resource: api}})
	r.must(err)
	if len(all) != 1 {
		r.Fatalf("%s: no bucket", what)
	}
	used := map[string]int64{}
	for _, s := range all[0].Limits {
		used[s.Limit.Name] = s.Used
	}
	if got := amounts(used); got != tokens || all[0].Acquires != acquires {
		r.Errorf("%s: %s in %d acquires are counted, not %s in %d", what, got, all[0].Acquires, tokens, acquires)
	}
}
