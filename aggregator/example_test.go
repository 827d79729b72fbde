package aggregator_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// Count aggregates the usage of a store in one process.
func ExampleCount() {
	clock := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	store, err := aggregator.Count(memory.New(&memory.Options{Feed: true}), &aggregator.Options{Now: clock})
	if err != nil {
		log.Fatal(err)
	}
	limiter, err := engine.New(store, &engine.Options{Now: clock})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	defer limiter.Close()

	ctx := context.Background()
	for range 3 {
		_, err = limiter.Allow(ctx, engine.Request{
			Entity: "user-123", Resource: "gpt-4", Consume: engine.Tokens{"tpm": 500},
			Limits: []engine.Limit{engine.PerMinute("tpm", 10_000)},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	page, err := limiter.Usage(ctx, engine.UsageQuery{Entity: "user-123", Window: engine.WindowDaily})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range page.Items {
		fmt.Println(s.Start.Format(time.DateOnly), s.Resource, s.Tokens, s.Acquires)
	}
	// Output: 2026-03-01 gpt-4 map[tpm:1500] 3
}
