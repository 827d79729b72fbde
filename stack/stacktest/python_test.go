package stacktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// TestMoto brings the same template up on moto as on the account that is made here, and compares what they make of it.
func TestMoto(t *testing.T) {
	t.Parallel()
	a := Start(t, nil)
	config := a.Config()
	config.BaseEndpoint, config.RetryMaxAttempts = aws.String(Moto(t)), 1
	moto := cloudformation.NewFromConfig(config)
	input := &cloudformation.CreateStackInput{
		StackName: aws.String("app"), TemplateBody: aws.String(body), Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	}
	if _, err := moto.CreateStack(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	if _, err := cloudformation.NewFromConfig(a.Config()).CreateStack(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	a.Clock.Advance(1e12)
	theirs, err := moto.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("app")})
	if err != nil {
		t.Fatal(err)
	}
	ours := a.Stack("app")
	if got := string(theirs.Stacks[0].StackStatus); got != ours.Status {
		t.Errorf("status %s, not %s", got, ours.Status)
	}
	for _, o := range theirs.Stacks[0].Outputs {
		if ours.Outputs[*o.OutputKey] != *o.OutputValue {
			t.Errorf("output %s: %s, not %s", *o.OutputKey, *o.OutputValue, ours.Outputs[*o.OutputKey])
		}
	}
	resources, err := moto.ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("app")})
	if err != nil {
		t.Fatal(err)
	}
	physical := map[string]string{} // of the function too, which is not made
	for _, r := range resources.StackResourceSummaries {
		physical[*r.LogicalResourceId] = aws.ToString(r.PhysicalResourceId)
	}
	for logical, id := range ours.Resources {
		if physical[logical] != id {
			t.Errorf("%s: %s, not %s", logical, physical[logical], id)
		}
	}
}

// TestCfnLint has a template that is right and one that is not.
func TestCfnLint(t *testing.T) {
	t.Parallel()
	program := Python(t, "cfn-lint", "cfn-lint")
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := write("right.yaml", "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n")
	CfnLint(t, right)
	out, err := exec.Command(program, "--", write("wrong.yaml", "Resources:\n  Queue:\n    Type: AWS::SQS::Quote\n")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "wrong.yaml:3") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAgain is what TestMissing runs in a process of its own.
func TestAgain(t *testing.T) {
	if os.Getenv("STACKTEST_AGAIN") == "" {
		return // it is of use in a process that another test starts
	}
	Moto(t)
}

// TestMissing wants a line with the cure if there is no moto or if nobody asks for it, and a failure if it is required.
func TestMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ require, all, says string }{
		{"dynamodb", "1", "\nstacktest: not run: TestAgain: no moto for tests; run `make setup`"},
		{"dynamodb", "", "\nstacktest: not run: TestAgain: no moto for tests; not asked for: run `make test`"},
		{"dynamodb,moto", "", "has moto: run `make setup`"},
	} {
		command := exec.Command(os.Args[0], "-test.run=^TestAgain$", "-test.v")
		command.Env = append(os.Environ(), "STACKTEST_AGAIN=1", "XDG_CACHE_HOME="+t.TempDir(), "HOME="+t.TempDir(),
			alltests.RequireVariable+"="+c.require, alltests.Variable+"="+c.all)
		out, err := command.CombinedOutput()
		if fails := strings.Contains(c.require, "moto"); (err != nil) != fails || strings.Contains(string(out), "--- SKIP: TestAgain") == fails {
			t.Errorf("%+v: %v", c, err)
		}
		if !strings.Contains(string(out), c.says) {
			t.Errorf("%q is not in\n%s", c.says, out)
		}
	}
}
