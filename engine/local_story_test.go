package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestLocal tells what the policy Local promises while the store is away.
func TestLocal(t *testing.T) { tellOnEachKind(t, localStories.virtual(), true) }

var localStories = stories{
	{"Share", localShare},
	{"Options", localOptions},
	{"Policies", localPolicies},
	{"Flaps", localFlaps},
	{"Fleet", localFleet},
	{"Hangs", localHangs},
	{"StartDown", localStartDown},
	{"ParentUnknown", localParentUnknown},
	{"Parents", localParents},
	{"BeyondShare", localBeyondShare},
	{"Mistakes", localMistakes},
	{"Zeros", localZeros},
	{"Wait", localWait},
	{"WaitEvents", localWaitEvents},
	{"Do", localDo},
	{"Many", localMany},
	{"ClockSetBack", localClockSetBack},
}

// locally is an option: the policy Local, with a share.
func locally(share float64) func(*engine.Options) {
	return func(o *engine.Options) {
		o.OnUnavailable, o.LocalShare, o.Timeout = engine.PolicyLocal, share, budget
	}
}

// down makes every request to the store fail, until up.
func (r *story) down() {
	r.settled()
	r.faults.SetPlan(limitertest.Always(limitertest.Fail))
}

func (r *story) up() {
	r.settled()
	r.faults.SetPlan(nil)
}

// wantCounted compares what the user's bucket has counted.
func (r *story) wantCounted(what, tokens string, acquires int64, change ...func(*engine.Options)) {
	r.Helper()
	all, err := r.limiter(change...).BucketStates(r.Context(), []engine.BucketName{{Entity: user, Resource: api}})
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

// deciding collects decisions, which events leaves out.
type deciding struct {
	lock sync.Mutex
	all  []engine.Event
}

// Observe implements [engine.Observer].
func (d *deciding) Observe(e engine.Event) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if e.Kind == engine.EventDecision || e.Kind == engine.EventDegraded {
		d.all = append(d.all, e)
	}
}

// localShare: while the store is away, a process admits its share of the limit, and denies the rest. Leases, statuses, errors and
// events say so. When it is back, the usage is there in full.
func localShare(r *story) {
	var seen deciding
	l, q := r.limiter(locally(.1), func(o *engine.Options) { o.Observer = &seen }), request(tokens("a", 1), stored("a", 100))
	r.mustAcquire(l, q)
	r.down()
	lease := r.mustAcquire(l, q)
	if s := lease.Statuses(); !lease.Degraded() || len(s) != 1 || s[0].Limit.Capacity != 10 || s[0].Remaining != 9 || s[0].Requested != 1 {
		r.Errorf("a local lease: degraded is %v, %+v", lease.Degraded(), lease.Statuses())
	}
	d, err := l.Allow(r.Context(), q)
	if s := d.Statuses(); err != nil || !d.Allowed || !d.Degraded || len(s) != 1 || s[0].Remaining != 8 {
		r.Errorf("Allow by a local bucket: %+v, %+v, %v", d, d.Statuses(), err)
	}
	if n := r.take(l, q); n != 8 {
		r.Errorf("%d more admitted, of 8", n)
	}
	e := r.mustDeny(l, q)
	if p := e.Primary(); p.Entity != user || p.Limit.Name != "a" || p.Limit.Capacity != 10 || p.Remaining != 0 || e.RetryAfter != aDay/10 || !strings.Contains(e.Error(), "share") {
		r.Errorf("denied by a local bucket: %+v, %v", p, e)
	}
	if d, err = l.Allow(r.Context(), q); err != nil || d.Allowed || !d.Degraded || d.RetryAfter != aDay/10 || !d.Statuses()[0].Exceeded {
		r.Errorf("Allow denied by a local bucket: %+v, %v", d, err)
	}
	var admitted, denied, degraded int
	for _, e := range seen.all {
		switch {
		case e.Kind == engine.EventDegraded:
			degraded++
		case e.Allowed && e.Degraded && e.Cached && e.Tokens["a"] == 1:
			admitted++
		case e.Degraded && e.Limit == "a" && e.Level == engine.LevelRequest && e.Denier == user:
			denied++
		}
	}
	if admitted != 10 || degraded != 10 || denied != 3 || len(seen.all) != 24 {
		r.Errorf("%d admissions, %d of them as degraded, and %d denials are observed, among %d events", admitted, degraded, denied, len(seen.all))
	}
	r.up()
	r.must(l.Close())
	r.wantCounted("after the outage", "a:11", 11)
	r.wantLeft(r.limiter(), "after the outage", "a:89", q.Limits...)
}

// localOptions: a share is a fraction, and the policy needs one.
func localOptions(r *story) {
	for _, bad := range []float64{-1, 1.5, 1e-12} {
		_, err := engine.New(r.store, &engine.Options{LocalShare: bad})
		r.wantInvalid(fmt.Sprint("a share of ", bad), err)
	}
	_, err := engine.New(r.store, &engine.Options{OnUnavailable: engine.PolicyLocal})
	r.wantInvalid("no share", err)
	_, err = engine.New(r.store, &engine.Options{OnUnavailable: engine.PolicyLocal + 1, LocalShare: 1})
	r.wantInvalid("an unknown policy", err)
	q := request(tokens("a", 1), stored("a", 10))
	q.OnUnavailable = engine.PolicyLocal
	l := r.limiter(under(engine.PolicyAllow))
	for range 2 {
		_, err = l.Acquire(r.Context(), q)
		r.wantInvalid("a request for the policy without a share", err)
		r.mustAcquire(l, request(tokens("a", 1), stored("a", 10))) // the bucket is known now
	}
}

// localPolicies: the policy of the call comes first, then the limiter's, then the one stored; without a share, the stored policy
// blocks, and says what to do.
func localPolicies(r *story) {
	r.must(r.limiter().SetSystemDefaults(r.Context(), []engine.Limit{stored("a", 100)}, &engine.SystemOptions{OnUnavailable: engine.PolicyLocal}))
	share := func(p engine.Policy, share float64) func(*engine.Options) {
		return func(o *engine.Options) { o.OnUnavailable, o.LocalShare = p, share }
	}
	for _, c := range []struct {
		what    string
		options func(*engine.Options)
		call    engine.Policy
		local   bool
		fails   string
	}{
		{"stored, with a share", share(0, .1), 0, true, ""},
		{"stored, without a share", share(0, 0), 0, false, "set LocalShare"},
		{"the limiter's", share(engine.PolicyLocal, .1), 0, true, ""},
		{"the call's", share(engine.PolicyBlock, .1), engine.PolicyLocal, true, ""},
		{"the call's is another", share(engine.PolicyLocal, .1), engine.PolicyBlock, false, "unavailable"},
		{"the limiter's is another", share(engine.PolicyBlock, .1), 0, false, "unavailable"},
	} {
		l, q := r.limiter(c.options), request(tokens("a", 5))
		r.mustAcquire(l, q)
		r.down()
		q.OnUnavailable = c.call
		lease, err := l.Acquire(r.Context(), q)
		if c.local != (err == nil && lease.Degraded()) || !c.local && (!errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), c.fails)) {
			r.Errorf("%s: degraded is %v, %v", c.what, lease.Degraded(), err)
		}
		r.up()
		r.must(r.limiter().ResetBucket(r.Context(), user, api))
	}
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
			r.pass(longestPause)
			r.wait(5 * time.Second)
			r.wantLeft(r.limiter(), "after a flap", amounts(map[string]int64{"a": 100 - admitted}), q.Limits...)
		}
	})
	if admitted != 11 {
		r.Errorf("%d admitted in all, of 11", admitted)
	}
	r.wantCounted("in the end", "a:11", 11)
}

// localFleet: N processes with the share 1/N admit the limit together, at once and over time.
func localFleet(r *story) {
	const n = 7
	limit := engine.PerMinute("a", 700)
	var all []*engine.Limiter
	for range n {
		all = append(all, r.limiter(locally(1./n)))
	}
	r.down()
	var admitted int64
	for range 10 {
		for _, l := range all {
			admitted += r.take(l, request(tokens("a", 1), limit))
		}
		r.pass(time.Minute)
	}
	// A share of 0.142857142 of 700 is 99 tokens; so much refills in a minute, too.
	if admitted != 10*n*99 {
		r.Errorf("%d admitted in ten minutes, of %d", admitted, 10*n*99)
	}
	r.up()
	for _, l := range all {
		r.must(l.Close())
	}
	r.wantCounted("after the outage", fmt.Sprint("a:", admitted), admitted)
	r.wantLeft(r.limiter(), "charged is what the local buckets still lack: nothing", "a:700", limit)
}

// localHangs: a thousand callers are answered within twice the budget, and no more are admitted than the share.
func localHangs(r *story) {
	for i, act := range []limitertest.Act{limitertest.Hang, limitertest.HangDeaf} {
		l, q := r.limiter(locally(.5), sleeping), request(tokens("a", 1), stored("a", 200))
		q.Entity = fmt.Sprint("user-", i)
		r.mustAcquire(l, q)
		r.virtually(func(r *story) {
			r.faults.SetPlan(limitertest.Always(act))
			var admitted atomic.Int64
			r.within("a thousand acquires", 2*budget, func() {
				var all sync.WaitGroup
				for range 1000 {
					all.Go(func() {
						lease, err := l.Acquire(context.Background(), q)
						switch {
						case err == nil && lease.Degraded():
							admitted.Add(1)
						case !errors.As(err, new(*engine.ExceededError)):
							r.Errorf("a store that hangs: %v", err)
						}
					})
				}
				all.Wait()
			})
			if n := admitted.Load(); n != 100 {
				r.Errorf("%d of a thousand admitted, of 100", n)
			}
			r.within("Close", 2*budget, func() { r.should(l.Close()) })
		})
		r.up()
	}
}

// localStartDown: limits come from the request, or from what was read before; else the process cannot decide, and says so.
func localStartDown(r *story) {
	r.must(r.limiter().SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 50)}))
	l := r.limiter(locally(.1))
	r.down()
	_, err := l.Acquire(r.Context(), request(tokens("a", 1)))
	if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "give the request Limits") {
		r.Errorf("no limits are known: %v", err)
	}
	if n := r.take(l, request(tokens("a", 1), stored("a", 100))); n != 10 {
		r.Errorf("%d admitted by the request's limits, of 10", n)
	}
	r.up()
	r.pass(longestPause)
	r.mustAcquire(l, request(tokens("a", 1))) // reads what is stored
	r.down()
	own := request(tokens("a", 1), stored("a", 100))
	own.Entity = "unknown" // the entity's own limits might be others
	if n := r.take(l, own); n != 10 {
		r.Errorf("%d admitted for an entity that was not read, of 10", n)
	}
	if e := r.mustDeny(l, request(tokens("a", 1))); e.Primary().Limit.Capacity != 5 {
		r.Errorf("by the stored limits now, of which the deficit is kept: %+v", e.Primary())
	}
	override := own
	override.Entity, override.Limits, override.Override = user, nil, []engine.Limit{stored("b", 20)}
	override.Consume = tokens("b", 1)
	if n := r.take(l, override); n != 2 {
		r.Errorf("%d admitted by an override, of 2", n)
	}
}

// localParentUnknown: if the parent's limits were never read, the process cannot decide.
func localParentUnknown(r *story) {
	r.family(r.limiter(), 2)
	l := r.limiter(locally(.1))
	r.faults.SetPlan(limitertest.Where(func(k backend.Key) bool { return strings.Contains(k.Partition, "parent-1") }, limitertest.Always(limitertest.Fail, limitertest.OpRead)))
	_, err := l.Acquire(r.Context(), request(tokens("a", 1)))
	r.wantError("a parent that was never read", err, engine.ErrUnavailable)
}

// localParents: a path is charged all or nothing, and the parent's local bucket serves all children.
func localParents(r *story) {
	setup := r.limiter()
	r.family(setup, 2) // 100 and 200
	other := request(tokens("a", 1))
	other.Entity = "user-2"
	r.mustEntity(setup, engine.Entity{ID: "user-2", Parent: "parent-1", Cascade: true})
	r.must(setup.SetLimits(r.Context(), "user-2", api, []engine.Limit{stored("a", 1000)}))
	l := r.limiter(locally(.1))
	r.mustAcquire(l, request(tokens("a", 1)))
	r.mustAcquire(l, other)
	r.down()
	if n := r.take(l, request(tokens("a", 1))); n != 10 {
		r.Errorf("%d admitted for the first child, of 10", n)
	}
	if n := r.take(l, other); n != 10 {
		r.Errorf("%d admitted for the second child, of the 10 that its parent has left", n)
	}
	if e := r.mustDeny(l, other); e.Primary().Entity != "parent-1" || len(e.Statuses()) != 2 || e.Statuses()[0].Remaining != 90 {
		r.Errorf("denied by the parent: %+v", e.Statuses())
	}
	r.up()
	r.must(l.Close())
	r.wantLeft(setup, "after the outage", "a:89 parent-1 a:178")
	r.wantLeftOf(setup, "user-2", "after the outage", "a:989 parent-1 a:178")
}
