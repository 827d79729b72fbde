package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// walk runs the first steps of a new user with the built program in an empty folder.
type walk struct {
	t           *testing.T
	folder      string
	environment []string
}

func newWalk(t *testing.T, variables map[string]string) *walk {
	t.Helper()
	w := &walk{t: t, folder: t.TempDir(), environment: append(docEnvironment(), "XDG_DATA_HOME="+t.TempDir(), "HOME="+t.TempDir(), "ZAE_LIMITER_LAMBDA_ZIP="+codeFile(t))}
	for name, value := range variables {
		w.environment = append(w.environment, name+"="+value)
	}
	return w
}

// wants runs a command, checks its exit code and its output, and applies its export lines to the environment.
func (w *walk) wants(code, says, line string) {
	w.t.Helper()
	c := exec.Command("zae-limiter", fields(line)...)
	c.Dir, c.Env = w.folder, w.environment
	out, err := c.CombinedOutput()
	if exitCodeOf(err) != code || !strings.Contains(string(out), says) {
		w.t.Fatalf("%s: %v, not %s, and it should say %q:\n%s", line, err, code, says, out)
	}
	for text := range strings.Lines(string(out)) {
		if export, ok := strings.CutPrefix(strings.TrimSpace(text), "export "); ok {
			w.environment = append(w.environment, export)
		}
	}
}

// usable runs the steps from a table that another tool has created to an acquire.
func (w *walk) usable(name string) {
	w.t.Helper()
	w.wants("5", "zae-limiter init --name "+name, "acquire user-1 gpt-4 -c rpm=1 -l rpm:2/day --name "+name)
	w.wants("6", "zae-limiter init --name "+name, "check --name "+name)
	w.wants("0", "the table is ready", "init --name "+name+" --region us-east-1")
	w.wants("0", "dynamodb://"+name, "system set-defaults -l rpm:2/day")
	w.wants("0", "consumed rpm=1", "acquire user-1 gpt-4 -c rpm=1")
	w.wants("0", "consumed rpm=1", "acquire user-1 gpt-4 -c rpm=1")
	w.wants("3", "rpm", "acquire user-1 gpt-4 -c rpm=1")
	w.wants("0", "nothing to do", "init --name "+name)
	w.wants("0", "schema", "check")
	w.wants("0", "reachable", "status")
}

// TestWalkCloudFormation starts with a stack that another tool has created from the output of cfn-template.
func TestWalkCloudFormation(t *testing.T) {
	t.Parallel()
	endpoint := stacktest.Moto(t)
	config := stacktest.Start(t, nil).Config()
	config.BaseEndpoint = &endpoint
	w := newWalk(t, emulated(endpoint))
	w.wants("0", "", "cfn-template -o template.yaml")
	template, err := os.ReadFile(filepath.Join(w.folder, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = cloudformation.NewFromConfig(config).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String("my-app"), TemplateBody: aws.String(string(template)), Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.environment = append(w.environment, "AWS_REGION=us-east-1")
	w.usable("my-app")
	w.wants("1", "--adopt", "deploy --name my-app --no-alarms")
}

// TestWalkTwoSteps deploys the aggregator with another tool: first its bucket, then the code in it.
func TestWalkTwoSteps(t *testing.T) {
	t.Parallel()
	a := stacktest.Start(t, &stacktest.Options{DynamoDB: dynamotest.Shared(t).Endpoint})
	w, name := newWalk(t, emulated(a.Endpoint)), fresh()
	w.environment = append(w.environment, "AWS_REGION="+stacktest.Region)
	w.wants("0", "", "cfn-template -o template.yaml")
	w.wants("0", "wrote lambda.zip", "lambda-export -o lambda.zip")
	template, err := os.ReadFile(filepath.Join(w.folder, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	client, capabilities := cloudformation.NewFromConfig(a.Config()), []types.Capability{types.CapabilityCapabilityNamedIam}
	parameters := []types.Parameter{{ParameterKey: aws.String("ArchiveBucketName"), ParameterValue: aws.String("my-bucket")}}
	_, err = client.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: aws.String(string(template)), Capabilities: capabilities, Parameters: parameters,
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Clock.Advance(1e12)
	code, err := os.Open(filepath.Join(w.folder, "lambda.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer code.Close()
	_, err = s3.NewFromConfig(a.Config(), func(o *s3.Options) { o.UsePathStyle = true }).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("my-bucket"), Key: aws.String("lambda/1.zip"), Body: code,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: &name, UsePreviousTemplate: aws.Bool(true), Capabilities: capabilities,
		Parameters: append(parameters, types.Parameter{ParameterKey: aws.String("CodeKey"), ParameterValue: aws.String("lambda/1.zip")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Clock.Advance(1e12)
	if s := a.Stack(name); s.Status != "UPDATE_COMPLETE" || s.Outputs["AggregatorFunctionName"] != name+"-aggregator" {
		t.Fatalf("%+v", s)
	}
	w.usable(name)
	w.wants("0", `"aggregator_enabled": true`, "status --name "+name+" -o json")
}
