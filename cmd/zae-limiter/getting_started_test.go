package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// gettingStarted are the commands of the Python library's getting-started page, between deployment and deletion.
var gettingStarted = []struct {
	line string
	says string // on one of the two
}{
	{"deploy --name my-app --region us-east-1", "export ZAE_LIMITER_NAME=my-app"},
	{"status --name my-app --region us-east-1", "COMPLETE"},
	{"system set-defaults -l rpm:100 -l tpm:10000", "dynamodb://my-app"},
	{"resource set-defaults gpt-4 -l rpm:50 -l tpm:100000", "dynamodb://my-app"},
	{"entity set-limits user-premium --resource gpt-4 -l rpm:500 -l tpm:500000", "dynamodb://my-app"},
	{"explain user-premium gpt-4", "500/min"},
	{"acquire user-1 gpt-4 -c rpm=50", "consumed rpm=50"},
	{"audit list", "stack_"},
	{"list --region us-east-1", "my-app"},
	{"delete --name my-app --region us-east-1 --yes", "deleted my-app"},
}

// start runs these commands with the built program and some variables, including those that deploy prints.
func start(t *testing.T, name string, variables map[string]string) {
	t.Helper()
	environment := append(os.Environ(), "ZAE_LIMITER_LAMBDA_ZIP="+codeFile(t), "XDG_DATA_HOME="+t.TempDir())
	for k, v := range variables {
		environment = append(environment, k+"="+v)
	}
	named := strings.NewReplacer("my-app", name)
	for _, step := range gettingStarted {
		c := exec.Command("zae-limiter", fields(named.Replace(step.line))...)
		c.Env = environment
		var said strings.Builder
		c.Stderr = &said
		out, err := c.Output()
		if err != nil || !strings.Contains(said.String()+string(out), named.Replace(step.says)) {
			t.Fatalf("%s: %v\n%s%s", named.Replace(step.line), err, said.String(), out)
		}
		for line := range strings.Lines(string(out)) {
			if export, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
				environment = append(environment, export)
			}
		}
	}
}

// emulated returns the variables that programs need for an emulator.
func emulated(endpoint string) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// TestGettingStarted runs on a stack of moto, with the table in DynamoDB Local, where the test creates it.
func TestGettingStarted(t *testing.T) {
	t.Parallel()
	variables := emulated(stacktest.Moto(t))
	server := dynamotest.Shared(t)
	config := server.Config()
	name := fresh()
	if err := dynamo.CreateTable(t.Context(), name, &dynamo.Options{Config: &config}); err != nil {
		t.Fatal(err)
	}
	keep(t, dynamodb.NewFromConfig(config), name)
	variables["AWS_ENDPOINT_URL_CLOUDFORMATION"] = variables["AWS_ENDPOINT_URL"]
	variables["AWS_ENDPOINT_URL_DYNAMODB"] = server.Endpoint
	start(t, name, variables)
}

// keep writes the name of a stack into a table, as in the table of a deployment that was deleted with --keep-data.
func keep(t *testing.T, client *dynamodb.Client, name string) {
	t.Helper()
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &name, Key: map[string]types.AttributeValue{"PK": text("_/schema|"), "SK": text("schema")},
		UpdateExpression: aws.String("SET stack = :name"), ExpressionAttributeValues: map[string]types.AttributeValue{":name": text(name)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGettingStartedOnMoto uses moto for everything.
func TestGettingStartedOnMoto(t *testing.T) {
	t.Parallel()
	start(t, "my-app", emulated(stacktest.Moto(t)))
}

// fresh returns an unused name for a deployment.
func fresh() string { return "test-" + strings.ToLower(rand.Text()[:12]) }

// TestGettingStartedOnAccount uses the scripted account with a real DynamoDB table, and checks the audit trail.
func TestGettingStartedOnAccount(t *testing.T) {
	c := newCloud(t, stacktest.Options{DynamoDB: dynamotest.Shared(t).Endpoint})
	name := fresh()
	run := func(line string) result {
		t.Helper()
		c.pass()
		return c.want(exitDone, fields(strings.ReplaceAll(line, "my-app", name))...)
	}
	for _, step := range gettingStarted {
		if strings.HasPrefix(step.line, "delete") {
			run("deploy --name my-app --no-alarms")
			run("deploy --name my-app --no-alarms") // changes nothing, so there is no event
			wantStackEvents(t, run("audit list --name my-app -o json").out)
			run("usage list --name my-app --resource gpt-4 --window hourly")
		}
		r := run(step.line)
		c.env["ZAE_LIMITER_NAME"] = name
		if says := strings.ReplaceAll(step.says, "my-app", name); !strings.Contains(r.err+r.out, says) {
			t.Errorf("%s does not say %q:\n%s%s", step.line, says, r.err, r.out)
		}
	}
	if c.Exists("AWS::DynamoDB::Table", name) || c.Stack(name).Status != "DELETE_COMPLETE" {
		t.Errorf("%+v", c.Stack(name))
	}
}

// wantStackEvents checks that a creation and a change were recorded, with their principal and the options before and after.
func wantStackEvents(t *testing.T, document string) {
	t.Helper()
	var all struct {
		Events []struct {
			Action, Principal string
			Before, After     map[string]any
		}
	}
	if err := json.Unmarshal([]byte(document), &all); err != nil {
		t.Fatal(err)
	}
	var stacks []string
	for _, e := range all.Events {
		if strings.HasPrefix(e.Action, "stack_") {
			stacks = append(stacks, fmt.Sprint(e.Action, " by ", e.Principal, ": alarms ", e.Before["EnableAlarms"], " -> ", e.After["EnableAlarms"]))
		}
	}
	want := []string{"stack_updated by ann@host: alarms true -> false", "stack_created by ann@host: alarms <nil> -> true"}
	if !slices.Equal(stacks, want) {
		t.Errorf("%q", stacks)
	}
}

// TestGettingStartedOnAWS uses a real account, with a running function: see CONTRIBUTING.md. It deletes what it creates.
func TestGettingStartedOnAWS(t *testing.T) {
	region := os.Getenv("ZAE_LIMITER_TEST_AWS")
	if region == "" {
		return // it costs money, so it only runs on request
	}
	name := fresh()
	call := func(line string) (string, error) {
		args := fields(strings.NewReplacer("my-app", name, "us-east-1", region).Replace(line))
		c := exec.Command("zae-limiter", args...)
		c.Env = append(os.Environ(), "ZAE_LIMITER_NAME="+name, "AWS_REGION="+region)
		out, err := c.CombinedOutput()
		t.Logf("%v: %v\n%s", args, err, out)
		return string(out), err
	}
	t.Cleanup(func() {
		if _, err := call("delete --name my-app --force --yes"); err != nil {
			t.Errorf("delete it by hand: zae-limiter delete --name %s --region %s --force --yes: %v", name, region, err)
		}
	})
	for _, step := range gettingStarted {
		if strings.HasPrefix(step.line, "delete") {
			awaitUsage(t, func() bool {
				out, err := call("usage summary --resource gpt-4 --window hourly -o json")
				return err == nil && strings.Contains(out, `"rpm": 50`)
			})
		}
		if out, err := call(step.line); err != nil || !strings.Contains(out, strings.ReplaceAll(step.says, "my-app", name)) {
			t.Fatal(step.line)
		}
	}
}

// awaitUsage polls every few seconds, for some minutes.
func awaitUsage(t *testing.T, there func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for range 60 {
		if there() {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
		}
	}
	t.Error("usage is not booked")
}
