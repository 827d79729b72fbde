package stack_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/stack"
)

// A program deploys its limiter and prints the progress.
func ExampleEnsure() {
	ctx, days := context.Background(), 35
	result, err := stack.Ensure(ctx, "my-app", &stack.Options{
		Region:   "us-east-1",
		PITRDays: &days,
		Progress: func(e stack.Event) { log.Println(e.Resource, e.Status, e.Reason) },
	})
	var failed *stack.FailedError
	if errors.As(err, &failed) {
		log.Fatalf("%s: %s; %s", failed.Resource, failed.Reason, failed.Advice)
	} else if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Action)

	store, err := dynamo.Open(ctx, result.Info.Table, &dynamo.Options{Region: result.Info.Region})
	if err != nil {
		log.Fatal(err)
	}
	limiter, err := engine.New(store, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer limiter.Close()
	fmt.Println(limiter.Allow(ctx, engine.Request{Entity: "user-123", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1}}))
}
