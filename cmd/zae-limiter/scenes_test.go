package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

const (
	small  = "deploy --name my-app --no-aggregator --no-alarms --no-iam" // only a table
	noRole = `Resource handler returned message: "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:CreateRole on resource: role my-app-aggr (Service: Iam, Status Code: 403, Request ID: 1-2-3)" (RequestToken: 4-5-6, HandlerErrorCode: AccessDenied)`
	inUse  = "Cannot delete a policy attached to entities. (Service: Iam, Status Code: 409, Request ID: 1-2-3)"
	minute = time.Minute

	queueGone = `Resource handler returned message: "You must wait 60 seconds after deleting a queue before you can create another with the same name. (Service: Sqs, Status Code: 400, Request ID: 1)" (RequestToken: 2, HandlerErrorCode: Throttling)`
	deleted   = "delete --name my-app --yes"
)

// madeElsewhere has the properties of a table without TTL, created by another tool.
var madeElsewhere = map[string]any{
	"StreamSpecification": map[string]any{"StreamViewType": "NEW_AND_OLD_IMAGES"},
	"GlobalSecondaryIndexes": []any{map[string]any{
		"IndexName": "GSI1", "Projection": map[string]any{"ProjectionType": "KEYS_ONLY"},
		"KeySchema": []any{map[string]any{"AttributeName": "GSI1PK", "KeyType": "HASH"}, map[string]any{"AttributeName": "GSI1SK", "KeyType": "RANGE"}},
	}},
}

// scenes are sessions of somebody who deploys, with and without failures.
var scenes = []struct {
	name   string
	before string              // commands to run first, without their output
	make   func(*cloud)        // prepares the account
	cancel func(*cloud) func() // sets up an interruption
	lines  []string
}{
	{name: "life", lines: []string{
		"deploy --name my-app --region us-east-1", "list", "status --name my-app --region us-east-1", "check --name my-app",
		"deploy --name my-app", "upgrade --name my-app", "delete --name my-app --region us-east-1 --yes", deleted, "list", "status --name my-app",
	}},
	{name: "options", before: small, lines: []string{
		"deploy --name my-app --enable-alarms --pitr-recovery-days 7 --tag team=search --termination-protection -o json",
		"deploy --name my-app --no-alarms --no-termination-protection",
	}},
	{name: "plan", lines: []string{small + " --plan", small, small + " --plan", "deploy --name my-app --enable-alarms --plan", "deploy --name my-app --enable-alarms --plan -o json"}},
	{name: "create-fails", make: func(c *cloud) { c.Fail("create", "AggregatorRole", noRole) }, lines: []string{
		"deploy --name my-app --no-alarms", "list", "check --name my-app", "deploy --name my-app --no-alarms --plan", "deploy --name my-app --no-alarms",
	}},
	{name: "update-fails", before: small, make: func(c *cloud) { c.Fail("create", "ReadThrottleAlarm", "Alarm quota exceeded (LimitExceeded)") }, lines: []string{
		"deploy --name my-app --enable-alarms", "list", "deploy --name my-app --enable-alarms",
	}},
	{name: "rollback-fails", before: small, make: func(c *cloud) {
		c.Fail("update", "Table", "Subscriber limit exceeded")
		c.Fail("roll back", "Table", "Internal error")
	}, lines: []string{"deploy --name my-app --pitr-recovery-days 7", "list", "deploy --name my-app --pitr-recovery-days 7"}},
	{name: "no-change", before: small, make: func(c *cloud) { c.RefuseNoChange() }, lines: []string{small, small + " --plan"}},
	{name: "busy", before: small, make: func(c *cloud) { c.Busy("my-app", minute/2) }, lines: []string{"deploy --name my-app --pitr-recovery-days 7"}},
	{name: "throttled", make: func(c *cloud) {
		c.Answer("DescribeStackEvents", nil, stacktest.Throttling, stacktest.Throttling, stacktest.Throttling)
	}, lines: []string{small}},
	{name: "gone", make: func(c *cloud) {
		c.On("DescribeStackEvents", func(n int) {
			if n == 3 {
				c.SetStatus("my-app", "DELETE_COMPLETE")
			}
		})
	}, lines: []string{small, "status --name my-app"}},
	{name: "rejected", before: small, make: func(c *cloud) {
		c.Fail("propose", "my-app", "Properties validation failed for resource Table with message: #/PITR: expected a number")
	}, lines: []string{
		"deploy --name my-app --pitr-recovery-days 7", "list",
	}},
	{name: "early-validation", make: func(c *cloud) {
		c.ValidateEarly()
		c.Keep("AWS::Lambda::Function", "my-app-aggregator")
	}, lines: []string{"deploy --name my-app --no-alarms"}},
	{name: "denied", make: func(c *cloud) {
		c.Answer("DescribeStacks", stacktest.AccessDenied, stacktest.ExpiredToken, stacktest.AccessDenied)
	}, lines: []string{
		small, "list", deleted,
	}},
	{name: "delete-fails", before: "deploy --name my-app --no-alarms", make: func(c *cloud) { c.Fail("delete", "FullPolicy", inUse) }, lines: []string{deleted, "list", deleted}},
	{name: "delete-forced", before: small + " --termination-protection --enable-deletion-protection", lines: []string{deleted, deleted + " --force"}},
	{name: "keep-data", before: small, lines: []string{deleted + " --keep-data", small, deleted}},
	{name: "table", make: func(c *cloud) { c.KeepTable("my-app", madeElsewhere) }, lines: []string{
		"status --name my-app", "check --name my-app", "init --name my-app", "init --name my-app -o json", "status --name my-app", "status --name my-app -o json",
		"check --name my-app", "check --name my-app -o json", "upgrade --name my-app", small, deleted, small + " --adopt", "check --name my-app", deleted,
	}},
	{name: "table-unfit", make: func(c *cloud) { c.KeepTable("my-app", nil) }, lines: []string{"init --name my-app", "init --name other", "status --name my-app"}},
	{name: "stillborn", make: func(c *cloud) { c.Fail("create", "AggregatorRole", noRole) }, lines: []string{
		"deploy --name my-app --no-alarms --enable-deletion-protection", deleted, deleted + " --force", deleted,
	}},
	{
		name: "passing", before: "deploy --name my-app --no-alarms --no-iam --aggregator-role-arn arn:aws:iam::123456789012:role/mine",
		make: func(c *cloud) { c.Fail("create", "AggregatorDLQ", queueGone) }, lines: []string{
			"deploy --name my-app --no-aggregator", "deploy --name my-app --enable-aggregator",
		},
	},
	{name: "foreign", make: func(c *cloud) { c.SetStatus("my-app", "CREATE_COMPLETE") }, lines: []string{small, deleted, "status --name my-app", "list"}},
	{name: "other-version", before: "deploy --name my-app --no-alarms --no-iam --aggregator-role-arn arn:aws:iam::123456789012:role/mine", make: age, lines: []string{
		"check --name my-app", "version --name my-app -o json", "upgrade --name my-app --lambda-only", "check --name my-app", "upgrade --name my-app -o json", "check --name my-app",
	}},
	{name: "no-wait", lines: []string{small + " --no-wait", small, "delete --name my-app --no-wait --yes", deleted}},
	{name: "interrupted", lines: []string{small, "status --name my-app"}, cancel: func(c *cloud) func() { return interrupting(c, "DescribeStackEvents", 3) }},
	{name: "interrupted-early", lines: []string{small}, cancel: func(c *cloud) func() { return interrupting(c, "CreateChangeSet", 1) }},
	{name: "delete-interrupted", before: small, lines: []string{deleted}, cancel: func(c *cloud) func() { return interrupting(c, "DescribeStackEvents", 2) }},
	{name: "delete-interrupted-late", before: small, lines: []string{deleted, deleted}, cancel: func(c *cloud) func() { return interrupting(c, "DeleteTable", 1) }},
	{name: "mistakes", lines: []string{
		"deploy --name my_app", "deploy --name my-app --usage-retention-days 0", "deploy --name my-app --usage-retention-days 4000",
		"deploy --name my-app --log-retention-days 31", "deploy --name my-app --alarm-sns-topic topic", "deploy --name my-app --snapshot-windows hourly,weekly",
		"deploy --name my-app --role-name-format x", "deploy --name my-app --tag aws:x=y", "deploy --name my-app --architecture x86_64",
		"deploy --name my-app --lambda-zip main.go", "deploy --name my-app --no-iam", "--store bolt:x deploy", "delete --name my-app",
		"check --name my-app", "upgrade --name my-app", "deploy --name my-app --endpoint-url nowhere", "list --endpoint-url http://127.0.0.1:1",
	}},
	{name: "terminal", make: func(c *cloud) { c.terminal, c.columns, c.env["TERM"] = true, 100, "xterm" }, lines: []string{small + " --enable-alarms"}},
}

// interrupting interrupts the command at a request, which is not answered.
func interrupting(c *cloud, action string, at int) func() {
	return func() {
		first := c.Counts()[action]
		c.On(action, func(n int) {
			if n == first+at {
				c.interrupt()
				<-c.ended
			}
		})
	}
}

// age gives the deployment an older version.
func age(c *cloud) {
	s := c.Stack("my-app")
	in := &cloudformation.UpdateStackInput{StackName: &s.Name, UsePreviousTemplate: aws.Bool(true), Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam}}
	for name := range s.Parameters {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &name, UsePreviousValue: aws.Bool(true)})
	}
	for key, value := range s.Tags {
		if strings.HasSuffix(key, "version") && key != "zae-limiter:schema-version" {
			value = "v0.9.0"
		}
		in.Tags = append(in.Tags, types.Tag{Key: &key, Value: &value})
	}
	if _, err := cloudformation.NewFromConfig(c.Config()).UpdateStack(context.Background(), in); err != nil {
		c.t.Fatal(err)
	}
	c.now = c.now.Add(5 * minute)
	c.pass()
}

// TestScenes compares the output with golden files.
func TestScenes(t *testing.T) {
	names := map[string]bool{}
	for _, s := range scenes {
		names["scenes/"+s.name+".txt"] = true
		t.Run(s.name, func(t *testing.T) {
			c := newCloud(t, stacktest.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.interrupt = cancel
			if s.before != "" {
				c.want(exitDone, fields(s.before)...)
			}
			c.pass()
			if s.make != nil {
				s.make(c)
			}
			if s.cancel != nil {
				s.cancel(c)()
			}
			golden(t, "scenes/"+s.name+".txt", c.scene(ctx, s.lines...))
		})
	}
	goldenFiles(t, "scenes", names)
}
