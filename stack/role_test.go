package stack

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

type nowhere struct{}

func (nowhere) Put(context.Context, string, []byte) error { return nil }

// changes returns batches with all kinds of changes.
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
		func(c context.Context) error { return l.CreateEntity(c, engine.Entity{ID: "e"}, nil) },
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

// bookedRequests returns the requests of the aggregator for all kinds of changes.
func bookedRequests(t *testing.T) []request {
	t.Helper()
	name, o := dynamotest.Table(t)
	r := &recorder{t: t, by: "aggregator", table: tableARN}
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
	return r.take()
}

// polled returns the requests with the function's role around each invocation, according to AWS's documentation: Lambda reads the
// stream, reports failures and writes logs; the function archives and traces.
func polled(resources map[string]stacktest.Rendered) []request {
	stream, logs := tableARN+"/stream/2026-03-04T05:06:07.000", strings.TrimSuffix(resources["AggregatorLogs"].ARN, ":*")
	all := []request{
		{Action: "dynamodb:DescribeStream", Resource: stream},
		{Action: "dynamodb:GetRecords", Resource: stream},
		{Action: "dynamodb:GetShardIterator", Resource: stream},
		{Action: "dynamodb:ListStreams", Resource: "*"},
		{Action: "logs:CreateLogStream", Resource: logs + ":log-stream:2026/03/04"},
		{Action: "logs:PutLogEvents", Resource: logs + ":log-stream:2026/03/04"},
		{Action: "sqs:SendMessage", Resource: resources["AggregatorDLQ"].ARN},
	}
	if bucket, ok := resources[resourceBucket]; ok {
		all = append(all, request{Action: "s3:PutObject", Resource: bucket.ARN + "/audit/year=2026/month=03/day=04/x.jsonl.gz"})
	}
	return all
}

var (
	traced    = []request{{Action: "xray:PutTraceSegments", Resource: "*"}, {Action: "xray:PutTelemetryRecords", Resource: "*"}}
	decrypted = []request{{Action: "kms:Decrypt", Resource: testKey}, {Action: "kms:GenerateDataKey", Resource: testKey}}
	// foreign has requests that the role must never be allowed.
	foreign = []request{
		{Action: "dynamodb:Scan", Resource: tableARN},
		{Action: "dynamodb:DeleteTable", Resource: tableARN},
		{Action: "dynamodb:GetItem", Resource: tableARN + "2"},
		{Action: "s3:GetObject", Resource: "arn:aws:s3:::zae-app/audit/x"},
		{Action: "s3:PutObject", Resource: "arn:aws:s3:::zae-app/lambda/x"},
		{Action: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/app-aggr"},
		{Action: "kms:Decrypt", Resource: testKey + "2"},
	}
)

// The function's role allows exactly what the function and Lambda do, for all options: tracing, a key, an archive.
func TestAggregatorRole(t *testing.T) {
	t.Parallel()
	booked := bookedRequests(t)
	for what, parameters := range map[string]map[string]string{
		"all": allOn(), "plain": {}, "bucket": {paramBucket: "zae-app"}, "no archive": {paramBucket: "zae-app", "EnableAuditArchival": valueFalse},
		"key": {paramKey: testKey}, "traces": {"EnableTracing": valueTrue},
	} {
		resources := rendered(t, parameters)
		p := policyOf(t, resources, "AggregatorRole")
		may, mayNot, used := slices.Concat(booked, polled(resources)), slices.Clone(foreign), map[string]bool{}
		archive := func(q request) bool { return q.Action == "s3:PutObject" }
		if parameters["EnableAuditArchival"] == valueFalse {
			may = slices.DeleteFunc(may, archive)
			mayNot = append(mayNot, request{Action: "s3:PutObject", Resource: "arn:aws:s3:::zae-app/audit/x"})
		}
		for option, requests := range map[string][]request{"EnableTracing": traced, paramKey: decrypted} {
			if parameters[option] != "" {
				may = append(may, requests...)
			} else {
				mayNot = append(mayNot, requests...)
			}
		}
		for _, q := range may {
			used[q.Action] = true
			if !p.Allows(t, q) {
				t.Errorf("%s: the role refuses %v", what, q)
			}
		}
		for _, q := range mayNot {
			if p.Allows(t, q) {
				t.Errorf("%s: the role allows %v", what, q)
			}
		}
		for _, s := range p.Statement {
			for _, action := range s.Action {
				if !used[action] {
					t.Errorf("%s: the role allows %s, which nothing needs", what, action)
				}
			}
		}
	}
}
