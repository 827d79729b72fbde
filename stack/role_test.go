package stack

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/dynamotest"
)

type nowhere struct{}

func (nowhere) Put(context.Context, string, []byte) error { return nil }

// changes are of all kinds that the aggregator takes in, in batches.
func changes(t *testing.T) (batches [][]backend.Change) {
	t.Helper()
	store := memory.New(&memory.Options{Feed: true})
	defer store.Close()
	l, err := engine.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	limits := []engine.Limit{engine.PerMinute("rpm", 10)}
	steps := []func(context.Context) error{
		func(c context.Context) error { return l.CreateEntity(c, engine.Entity{ID: "e"}) },
		func(c context.Context) error { return l.SetLimits(c, "e", "r", limits) },
		func(c context.Context) error {
			return of(l.Allow(c, engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}}))
		},
		func(c context.Context) error { return l.DeleteEntity(c, "e", nil) },
	}
	for _, step := range steps {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Feed(t.Context(), aggregator.Layouts, 1000, func(some []backend.Change) error {
			batches = append(batches, some)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return batches
}

// The function's role may do to the table what the aggregator does, and nothing else.
func TestAggregatorRole(t *testing.T) {
	t.Parallel()
	resources := resourcesOf(t, template)
	var data rule
	for _, s := range at(at(resources, "AggregatorRole", "Properties", "Policies").([]any)[0], "PolicyDocument", "Statement").([]any) {
		if at(s, "Sid") == "Data" {
			data = rule{actions: texts(at(s, "Action")), table: slices.Equal(texts(at(s, "Resource")), []string{"GetAtt Table.Arn"})}
		}
	}
	name, o := dynamotest.Table(t)
	r := &recorder{t: t}
	store, err := dynamo.Open(t.Context(), name, r.options(o))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	a, err := aggregator.New(store, &aggregator.Options{AuditRetention: 24 * time.Hour, Archive: nowhere{}})
	if err != nil {
		t.Fatal(err)
	}
	var all aggregator.Report
	for _, batch := range changes(t) {
		report := a.Process(t.Context(), batch, time.Now())
		all.Counted, all.Removed, all.Failed = all.Counted+report.Counted, all.Removed+report.Removed, append(all.Failed, report.Failed...)
	}
	if len(all.Failed) > 0 || all.Counted == 0 || all.Removed == 0 {
		t.Errorf("%+v", all)
	}
	used := map[string]bool{}
	for _, q := range r.take() {
		used[q.action] = true
		if !data.allows(q, "") {
			t.Errorf("the role refuses %+v", q)
		}
	}
	for _, action := range data.actions {
		if !used[action] {
			t.Errorf("the role allows %s, which nothing needs", action)
		}
	}
}
