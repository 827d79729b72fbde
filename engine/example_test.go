package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// stopped is a clock that stands still until it is told to go on. Programs leave Options.Now nil.
type stopped struct{ at time.Time }

func (c *stopped) Now() time.Time { return c.at }

// Sleep passes the time without waiting.
func (c *stopped) Sleep(_ context.Context, d time.Duration) error {
	c.at = c.at.Add(d)
	return nil
}

func newStopped() *stopped { return &stopped{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Two limits are taken from together or not at all; what the call really took is known afterwards.
func Example() {
	ctx, clock := context.Background(), newStopped()
	limiter, err := engine.New(memory.New(nil), &engine.Options{Now: clock.Now})
	if err != nil {
		panic(err)
	}
	defer limiter.Close()

	request := engine.Request{
		Entity: "user-123", Resource: "gpt-4",
		Consume: engine.Tokens{"rpm": 1, "tpm": 500},
		Limits:  []engine.Limit{engine.PerMinute("rpm", 100), engine.PerMinute("tpm", 1_000).WithBurst(1_500)},
	}
	for {
		lease, err := limiter.Acquire(ctx, request)
		var exceeded *engine.ExceededError
		if errors.As(err, &exceeded) {
			fmt.Println(exceeded)
			return
		} else if err != nil {
			panic(err)
		}
		const actual = 650 // what the call took
		if err := lease.Adjust(engine.Tokens{"tpm": actual - 500}); err != nil {
			panic(err)
		}
		if err := lease.Commit(ctx); err != nil {
			panic(err)
		}
		fmt.Println("consumed", lease.Consumed()["tpm"])
	}
	// Output:
	// consumed 650
	// consumed 650
	// engine: rate limit exceeded: tpm of user-123 on gpt-4: 500 requested, 200 available of 1500, retry after 18s
}

// Do commits when the function returns nil, and gives everything back when it fails or panics.
func ExampleLimiter_Do() {
	ctx, clock := context.Background(), newStopped()
	limiter, _ := engine.New(memory.New(nil), &engine.Options{Now: clock.Now})
	defer limiter.Close()

	limits := []engine.Limit{engine.PerMinute("tpm", 1_000)}
	request := engine.Request{Entity: "user-123", Resource: "gpt-4", Consume: engine.Tokens{"tpm": 400}, Limits: limits}
	for _, reply := range []error{nil, errors.New("the model is overloaded")} {
		err := limiter.Do(ctx, request, func(_ context.Context, lease *engine.Lease) error {
			if reply != nil {
				return reply
			}
			return lease.Adjust(engine.Tokens{"tpm": -150}) // it took 250
		})
		left, _ := limiter.Available(ctx, "user-123", "gpt-4", limits...)
		fmt.Println(left[0].Remaining, "left:", err)
	}
	// Output:
	// 750 left: <nil>
	// 750 left: the model is overloaded
}

// Limits that are stored need not be given with requests, and changing them reaches buckets that are in use.
func ExampleLimiter_SetLimits() {
	ctx, clock := context.Background(), newStopped()
	limiter, _ := engine.New(memory.New(nil), &engine.Options{Now: clock.Now})
	defer limiter.Close()

	_ = limiter.SetSystemDefaults(ctx, []engine.Limit{engine.PerMinute("rpm", 10)}, nil)
	_ = limiter.SetLimits(ctx, "user-premium", "gpt-4", []engine.Limit{engine.PerMinute("rpm", 100)})

	request := engine.Request{Entity: "user-premium", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 80}}
	first, _ := limiter.Allow(ctx, request)
	second, _ := limiter.Allow(ctx, request)
	_ = limiter.SetLimits(ctx, "user-premium", "gpt-4", []engine.Limit{engine.PerMinute("rpm", 200)})
	third, _ := limiter.Allow(ctx, request)
	fmt.Println(first.Allowed, second.Allowed, second.RetryAfter, third.Allowed)

	how, _ := limiter.Explain(ctx, "user-premium", "gpt-4")
	fmt.Println(how.Path[0].Level, how.Path[0].Limits)
	how, _ = limiter.Explain(ctx, "user-basic", "gpt-4")
	fmt.Println(how.Path[0].Level, how.Path[0].Limits)
	// Output:
	// true false 36s true
	// entity+resource [rpm:200/min]
	// system [rpm:10/min]
}

// Keys of a project share what the project has; each has its own limits, too.
func ExampleLimiter_CreateEntity() {
	ctx, clock := context.Background(), newStopped()
	limiter, _ := engine.New(memory.New(nil), &engine.Options{Now: clock.Now})
	defer limiter.Close()

	_ = limiter.SetResourceDefaults(ctx, "gpt-4", []engine.Limit{engine.PerMinute("rpm", 60)})
	_ = limiter.SetLimits(ctx, "project", "gpt-4", []engine.Limit{engine.PerMinute("rpm", 100)})
	_ = limiter.CreateEntity(ctx, engine.Entity{ID: "project"}, nil)
	for _, key := range []string{"key-1", "key-2"} {
		_ = limiter.CreateEntity(ctx, engine.Entity{ID: key, Parent: "project", Cascade: true}, nil)
		_, err := limiter.Acquire(ctx, engine.Request{Entity: key, Resource: "gpt-4", Consume: engine.Tokens{"rpm": 60}})
		fmt.Println(err)
	}
	left, _ := limiter.Available(ctx, "key-2", "gpt-4")
	for _, s := range left {
		fmt.Println(s.Entity, s.Remaining)
	}
	// Output:
	// <nil>
	// engine: rate limit exceeded: rpm of project on gpt-4: 60 requested, 40 available of 100, retry after 12s
	// key-2 60
	// project 40
}

// What a manifest says is compared with what is stored, and the difference is made, in a few commits.
func ExampleLimiter_ApplyManifest() {
	ctx := context.Background()
	limiter, err := engine.New(memory.New(nil), nil)
	if err != nil {
		panic(err)
	}
	defer limiter.Close()

	var ids []engine.SettingID
	for _, user := range []string{"ann", "bob"} {
		ids = append(ids, engine.SettingID{Kind: engine.SettingLimits, Entity: user, Resource: "gpt-4"})
	}
	for range 2 {
		stored, err := limiter.Settings(ctx, ids)
		if err != nil {
			panic(err)
		}
		var changes []engine.SettingChange
		for i := range stored {
			wanted := engine.Setting{ID: ids[i], Exists: true, Limits: []engine.Limit{engine.PerMinute("rpm", 10)}}
			if !stored[i].SameContent(&wanted) || stored[i].Manifest != "search-team" {
				changes = append(changes, engine.SettingChange{Before: stored[i], After: wanted})
			}
		}
		if err := limiter.ApplyManifest(ctx, "search-team", changes, nil); err != nil {
			panic(err)
		}
		fmt.Println(len(changes), "changes")
	}
	managed, err := limiter.ManagedSettings(ctx, "search-team")
	if err != nil {
		panic(err)
	}
	for _, s := range managed {
		fmt.Println(s.ID, s.Limits)
	}
	// Output:
	// 2 changes
	// 0 changes
	// limits of ann on gpt-4 [rpm:10/min]
	// limits of bob on gpt-4 [rpm:10/min]
}

// A denial carries what an HTTP API answers with status 429.
func ExampleExceededError() {
	ctx, clock := context.Background(), newStopped()
	limiter, _ := engine.New(memory.New(nil), &engine.Options{Now: clock.Now})
	defer limiter.Close()

	request := engine.Request{
		Entity: "user-123", Resource: "search", Consume: engine.Tokens{"rps": 3},
		Limits: []engine.Limit{engine.PerSecond("rps", 2).WithBurst(5)},
	}
	_, _ = limiter.Acquire(ctx, request)
	_, err := limiter.Acquire(ctx, request)
	var exceeded *engine.ExceededError
	if errors.As(err, &exceeded) {
		body, _ := json.MarshalIndent(exceeded.Public(), "", "  ")
		fmt.Println("Retry-After:", exceeded.RetryAfterSeconds())
		fmt.Println(string(body))
	}
	clock.at = clock.at.Add(exceeded.RetryAfter)
	_, err = limiter.Acquire(ctx, request)
	fmt.Println(err)
	// Output:
	// Retry-After: 1
	// {
	//   "error": "rate_limit_exceeded",
	//   "message": "rate limit exceeded: rps of user-123 on search: 3 requested, 2 available of 5, retry after 500ms",
	//   "retry_after_seconds": 0.5,
	//   "retry_after_ms": 500,
	//   "never_fits": false,
	//   "limits": [
	//     {
	//       "entity_id": "user-123",
	//       "resource": "search",
	//       "limit_name": "rps",
	//       "kind": "rate",
	//       "capacity": 5,
	//       "refill_amount": 2,
	//       "refill_period_seconds": 1,
	//       "available": 2,
	//       "remaining": 2,
	//       "requested": 3,
	//       "exceeded": true,
	//       "reset_after_seconds": 1.5,
	//       "retry_after_seconds": 0.5
	//     }
	//   ]
	// }
	// <nil>
}

// While the store cannot be reached a policy decides; what it lets through is marked.
func ExamplePolicy() {
	ctx, clock := context.Background(), newStopped()
	store := limitertest.NewFault(memory.New(nil), limitertest.Always(limitertest.Fail))
	limiter, _ := engine.New(store, &engine.Options{
		Now: clock.Now, Sleep: clock.Sleep, OnUnavailable: engine.PolicyAllow, Logger: slog.New(slog.DiscardHandler),
	})
	defer limiter.Close()

	request := engine.Request{
		Entity: "user-123", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1},
		Limits: []engine.Limit{engine.PerMinute("rpm", 100)},
	}
	lease, err := limiter.Acquire(ctx, request)
	fmt.Println(lease.Degraded(), err)

	request.OnUnavailable = engine.PolicyBlock // this one must not go through uncounted
	_, err = limiter.Acquire(ctx, request)
	fmt.Println(errors.Is(err, engine.ErrUnavailable))

	request.Consume = engine.Tokens{"rpm": -1} // what is wrong is wrong, whatever the policy
	_, err = limiter.Acquire(ctx, request)
	fmt.Println(err)
	// Output:
	// true <nil>
	// true
	// engine: Consume[rpm] -1: must be 0 to 10^15 tokens
}
