package stack_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/stack"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// After Ensure, a store can be opened and limits; after Delete, it cannot be opened.
func TestOpen(t *testing.T) {
	t.Parallel()
	a := stacktest.Start(t, &stacktest.Options{DynamoDB: dynamotest.Shared(t).Endpoint})
	config, off := a.Config(), false
	o := &stack.Options{Config: &config, Aggregator: &off, Now: a.Clock.Now, Sleep: a.Clock.Sleep}
	const name = "stack-open-test"
	if _, err := stack.Ensure(t.Context(), name, o); err != nil {
		t.Fatal(err)
	}
	at := &dynamo.Options{Config: &config}
	store, err := dynamo.Open(t.Context(), name, at)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	limiter, err := engine.New(store, &engine.Options{Timeout: time.Minute}) // the machine may be busy
	if err != nil {
		t.Fatal(err)
	}
	defer limiter.Close()
	request := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{engine.PerMinute("rpm", 1)}}
	for _, want := range []bool{true, false} {
		if d, err := limiter.Allow(t.Context(), request); err != nil || d.Allowed != want {
			t.Errorf("%+v, %v", d, err)
		}
	}
	info, err := stack.Get(t.Context(), name, o)
	if err != nil || !info.Available || info.SchemaVersion != "1" || info.TableStatus != "ACTIVE" {
		t.Errorf("%+v, %v", info, err)
	}
	if err := stack.Delete(t.Context(), name, o, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := dynamo.Open(t.Context(), name, at); err == nil {
		t.Error("the table is still there")
	}
}

// The whole life on moto, which does not create a function that the first change set did not have.
func TestMoto(t *testing.T) {
	t.Parallel()
	endpoint := stacktest.Moto(t)
	config := stacktest.Start(t, nil).Config()
	config.BaseEndpoint = &endpoint
	code := &stack.Code{Zip: []byte("PK"), Architecture: "arm64", Version: "v1.2.3", Hash: "0123"}
	o := &stack.Options{Config: &config, Code: code, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	for _, want := range []stack.Action{stack.Created, stack.Unchanged} {
		r, err := stack.Ensure(t.Context(), "app", o)
		if err != nil || r.Action != want || !r.Info.Available || r.Info.SchemaVersion != "1" {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	store, err := dynamo.Open(t.Context(), "app", &dynamo.Options{Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	if all, err := stack.List(t.Context(), o); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := stack.Delete(t.Context(), "app", o, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Get(t.Context(), "app", o); !errors.Is(err, stack.ErrNotFound) {
		t.Error(err)
	}
}

func TestCfnLint(t *testing.T) {
	t.Parallel()
	stacktest.CfnLint(t, "template.yaml")
}
