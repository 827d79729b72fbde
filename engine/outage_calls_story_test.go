package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// operation is a call of a limiter that needs its store.
type operation struct {
	name string
	do   func(context.Context, *engine.Limiter) error
}

// operations returns all calls of a limiter, except those of leases, which do not depend on the caller's context.
func operations() []operation {
	return slices.Concat(decisions(), configurations(), registrations(), insights())
}

func decisions() []operation {
	limits := []engine.Limit{stored("a", 1000)}
	q := request(tokens("a", 1), limits...)
	return []operation{
		{"Acquire", func(ctx context.Context, l *engine.Limiter) error { return second(l.Acquire(ctx, q)) }},
		{"Allow", func(ctx context.Context, l *engine.Limiter) error { return second(l.Allow(ctx, q)) }},
		{"Wait", func(ctx context.Context, l *engine.Limiter) error { return second(l.Wait(ctx, q)) }},
		{"Do", func(ctx context.Context, l *engine.Limiter) error {
			return l.Do(ctx, q, func(context.Context, *engine.Lease) error { return errBroken })
		}},
		{"Available", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.Available(ctx, user, api, limits...))
		}},
		{"TimeUntilAvailable", func(ctx context.Context, l *engine.Limiter) error { return second(l.TimeUntilAvailable(ctx, q)) }},
		{"Explain", func(ctx context.Context, l *engine.Limiter) error { return second(l.Explain(ctx, user, api)) }},
		{"ResetBucket", func(ctx context.Context, l *engine.Limiter) error { return l.ResetBucket(ctx, user, api) }},
	}
}

func configurations() []operation {
	limits := []engine.Limit{stored("a", 1000)}
	page := engine.Page{}
	return []operation{
		{"SetSystemDefaults", func(ctx context.Context, l *engine.Limiter) error { return l.SetSystemDefaults(ctx, limits, nil) }},
		{"SystemDefaults", func(ctx context.Context, l *engine.Limiter) error { return second(l.SystemDefaults(ctx)) }},
		{"DeleteSystemDefaults", func(ctx context.Context, l *engine.Limiter) error { return l.DeleteSystemDefaults(ctx) }},
		{"SetResourceDefaults", func(ctx context.Context, l *engine.Limiter) error { return l.SetResourceDefaults(ctx, api, limits) }},
		{"ResourceDefaults", func(ctx context.Context, l *engine.Limiter) error { return second(l.ResourceDefaults(ctx, api)) }},
		{"DeleteResourceDefaults", func(ctx context.Context, l *engine.Limiter) error { return l.DeleteResourceDefaults(ctx, api) }},
		{"Resources", func(ctx context.Context, l *engine.Limiter) error { return second(l.Resources(ctx, page)) }},
		{"SetLimits", func(ctx context.Context, l *engine.Limiter) error { return l.SetLimits(ctx, user, api, limits) }},
		{"Limits", func(ctx context.Context, l *engine.Limiter) error { return second(l.Limits(ctx, user, api)) }},
		{"DeleteLimits", func(ctx context.Context, l *engine.Limiter) error { return l.DeleteLimits(ctx, user, api) }},
		{"EntitiesWithLimits", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.EntitiesWithLimits(ctx, api, page))
		}},
	}
}

func registrations() []operation {
	page := engine.Page{}
	return []operation{
		{"CreateEntity", func(ctx context.Context, l *engine.Limiter) error {
			return l.CreateEntity(ctx, engine.Entity{ID: user}, nil)
		}},
		{"UpdateEntity", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.UpdateEntity(ctx, user, engine.EntityUpdate{}, nil))
		}},
		{"Entity", func(ctx context.Context, l *engine.Limiter) error { return second(l.Entity(ctx, user)) }},
		{"Entities", func(ctx context.Context, l *engine.Limiter) error { return second(l.Entities(ctx, page)) }},
		{"Children", func(ctx context.Context, l *engine.Limiter) error { return second(l.Children(ctx, user, page)) }},
		{"DeleteEntity", func(ctx context.Context, l *engine.Limiter) error { return l.DeleteEntity(ctx, user, nil) }},
		{"RegisterNamespace", func(ctx context.Context, l *engine.Limiter) error { return l.RegisterNamespace(ctx, "blue") }},
		{"Namespace", func(ctx context.Context, l *engine.Limiter) error { return second(l.Namespace(ctx, "blue")) }},
		{"ListNamespaces", func(ctx context.Context, l *engine.Limiter) error { return second(l.ListNamespaces(ctx, page)) }},
		{"DeleteNamespace", func(ctx context.Context, l *engine.Limiter) error { return l.DeleteNamespace(ctx, "blue") }},
		{"RecoverNamespace", func(ctx context.Context, l *engine.Limiter) error { return l.RecoverNamespace(ctx, "blue") }},
		{"PurgeNamespace", func(ctx context.Context, l *engine.Limiter) error { return l.PurgeNamespace(ctx, "blue") }},
	}
}

func insights() []operation {
	limits := []engine.Limit{stored("a", 1000)}
	return []operation{
		{"Buckets", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.Buckets(ctx, engine.BucketQuery{Entity: user}))
		}},
		{"BucketStates", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.BucketStates(ctx, []engine.BucketName{{Entity: user, Resource: api}}))
		}},
		{"AuditEvents", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.AuditEvents(ctx, engine.AuditQuery{}))
		}},
		{"RecordEvent", func(ctx context.Context, l *engine.Limiter) error {
			return l.RecordEvent(ctx, engine.Recorded{Action: "stack_updated", After: json.RawMessage(`{}`)})
		}},
		{"Settings", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.Settings(ctx, []engine.SettingID{{Kind: engine.SettingSystem}}))
		}},
		{"ManagedSettings", func(ctx context.Context, l *engine.Limiter) error { return second(l.ManagedSettings(ctx, "m")) }},
		{"AllSettings", func(ctx context.Context, l *engine.Limiter) error { return second(l.AllSettings(ctx)) }},
		{"ApplyManifest", func(ctx context.Context, l *engine.Limiter) error {
			system := engine.SettingID{Kind: engine.SettingSystem}
			change := engine.SettingChange{Before: engine.Setting{ID: system}, After: engine.Setting{ID: system, Exists: true, Limits: limits}}
			return l.ApplyManifest(ctx, "m", []engine.SettingChange{change}, nil)
		}},
		{"Usage", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.Usage(ctx, engine.UsageQuery{Entity: user, Window: engine.WindowDaily}))
		}},
		{"UsageSummary", func(ctx context.Context, l *engine.Limiter) error {
			return second(l.UsageSummary(ctx, engine.UsageQuery{Entity: user, Window: engine.WindowDaily}))
		}},
		{"Ping", func(ctx context.Context, l *engine.Limiter) error { return l.Ping(ctx) }},
	}
}

// outageEveryOperation: every call with a store that cannot be reached returns ErrUnavailable before the caller's deadline, and
// at once if the breaker is open. A store that panics is another error.
func outageEveryOperation(r *story) {
	for _, act := range []limitertest.Act{limitertest.Fail, limitertest.Hang, limitertest.HangDeaf, limitertest.Panic} {
		for _, o := range operations() {
			l := r.limiter(under(engine.PolicyBlock))
			r.virtually(func(r *story) {
				r.faults.SetPlan(limitertest.Always(act))
				for try := range 8 {
					ctx, cancel := context.WithTimeout(context.Background(), shortDeadline)
					start := time.Now()
					err := o.do(ctx, l)
					took := time.Since(start)
					if ctx.Err() != nil || took >= shortDeadline || took > 0 && try > 5 {
						r.Errorf("%s, %v, try %d: took %v", o.name, act, try+1, took)
					}
					cancel()
					if act == limitertest.Panic {
						r.wantPanic(o.name, err)
					} else {
						r.wantError(o.name, err, engine.ErrUnavailable)
					}
				}
				r.wait(2 * budget) // for what was begun on behalf of all
			})
			r.faults.SetPlan(nil)
		}
	}
}

// wantPanic wants the error of a store that panics, for which no policy admits.
func (r *story) wantPanic(what string, err error) {
	r.Helper()
	var raw *limitertest.FaultError
	if !errors.As(err, &raw) || raw.Act != limitertest.Panic || errors.Is(err, engine.ErrUnavailable) {
		r.Errorf("%s of a store that panics: %v", what, err)
	}
}

// outagePanics: a store that panics is no outage and does not end the program, on whatever goroutine it was called. A probe that
// panics leaves the breaker as it was, so that the next call reaches the store.
func outagePanics(r *story) {
	store := r.store
	prompt := backend.Wrap(store, &backend.WrapOptions{HonorsContext: true}) // is called on the caller's own goroutine
	for _, p := range policies {
		for _, r.store = range []backend.Backend{store, prompt} {
			l, q := r.limiter(under(p)), request(tokens("a", 1), stored("a", 1000))
			for _, before := range []limitertest.Act{limitertest.Pass, limitertest.Fail} { // with a closed breaker, and an open one
				r.mustAcquire(l, q)
				r.faults.SetPlan(limitertest.Always(before))
				for range 5 {
					_, _ = l.Acquire(r.Context(), q)
				}
				r.clock.advance(longestPause)
				r.faults.SetPlan(limitertest.Always(limitertest.Panic))
				lease, err := l.Acquire(r.Context(), q)
				r.wantPanic("Acquire", err)
				if lease != nil {
					r.Errorf("admitted by a store that panics, under %v", p)
				}
				r.faults.SetPlan(nil)
				if lease := r.mustAcquire(l, q); lease.Degraded() {
					r.Errorf("degraded by the first call after a panic")
				}
			}
		}
	}
	r.store = store
	r.panicOnPath()
}

// panicOnPath has the store panic for one bucket of a path: the charge of the other one is refunded.
func (r *story) panicOnPath() {
	l := r.limiter(under(engine.PolicyAllow))
	r.family(l, 2)
	r.endPath()
	r.mustAcquire(l, request(tokens("a", 1)))
	r.faults.SetPlan(limitertest.Where(func(k backend.Key) bool { return strings.Contains(k.Partition, "parent-1") }, limitertest.Always(limitertest.Panic, limitertest.OpApply)))
	_, err := l.Acquire(r.Context(), request(tokens("a", 1)))
	r.wantPanic("Acquire on a path", err)
	r.faults.SetPlan(nil)
	r.wantLeft(l, "after a panic of the parent's bucket", "a:99 parent-1 a:199")
}
