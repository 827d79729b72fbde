package stacktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

const described = `
Resources:
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: app-read
      Description: Read
      PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'dynamodb:GetItem', Resource: '*'}]}
`

// TestCustomNames wants CloudFormation's refusal to replace what has a name of its own, and the roll back that follows.
func TestCustomNames(t *testing.T) {
	t.Parallel()
	a := newAccount(t, nil)
	deploy := func(text string) string {
		t.Helper()
		in := []types.Capability{types.CapabilityCapabilityNamedIam}
		var err error
		if a.Stack("app").Status == "" {
			_, err = a.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("app"), TemplateBody: &text, Capabilities: in})
		} else {
			_, err = a.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("app"), TemplateBody: &text, Capabilities: in, ClientRequestToken: aws.String("token")})
		}
		if err != nil {
			t.Fatal(err)
		}
		return a.settled()
	}
	if got := deploy(described); got != "CREATE_COMPLETE" {
		t.Fatal(got)
	}
	if got := deploy(strings.Replace(described, "GetItem", "Query", 1)); got != "UPDATE_COMPLETE" {
		t.Errorf("another document: %s", got)
	}
	if got := deploy(strings.Replace(described, "Description: Read", "Description: Look", 1)); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("another description: %s", got)
	}
	if all := strings.Join(a.events("token"), "\n"); !strings.Contains(all, "cannot update a stack when a custom-named resource requires replacing. Rename app-read") {
		t.Error(all)
	}
	if got := deploy(strings.NewReplacer("Description: Read", "Description: Look", "app-read", "app-look").Replace(described)); got != "UPDATE_COMPLETE" {
		t.Errorf("another description and name: %s", got)
	}
}

// TestHandlers wants the permissions that CloudFormation uses for what a resource has, and no others.
func TestHandlers(t *testing.T) {
	t.Parallel()
	table := Rendered{Type: tableKind, ARN: "arn:aws:dynamodb:us-east-1:123456789012:table/app", Properties: map[string]any{}}
	has := func(action string) bool {
		return slices.ContainsFunc(HandlerRequests("create", table), func(q Request) bool { return q.Action == action })
	}
	if !has("dynamodb:CreateTable") || !has("dynamodb:TagResource") || has("kms:CreateGrant") || has("kinesis:PutRecords") || has("dynamodb:Scan") {
		t.Errorf("%v", HandlerRequests("create", table))
	}
	if table.Properties["SSESpecification"] = map[string]any{"KMSMasterKeyId": "arn:aws:kms:us-east-1:123456789012:key/1"}; !has("kms:CreateGrant") {
		t.Error("a table with a key needs no grant of the key")
	}
	for kind, s := range schemas {
		for property, patterns := range s.Only {
			for _, pattern := range patterns {
				if !slices.ContainsFunc(slices.Concat(s.Create, s.Read, s.Update, s.Delete), func(action string) bool { return like(pattern, action) }) {
					t.Errorf("%s: no handler uses %s, of %q", kind, pattern, property)
				}
			}
		}
	}
}

// TestReplacesAsCfnLint compares the properties that replace a resource with those in cfn-lint's copy of AWS's schemas.
func TestReplacesAsCfnLint(t *testing.T) {
	t.Parallel()
	interpreter := Python(t, "cfn-lint", "python")
	script := filepath.Join(t.TempDir(), "schemas.py")
	if err := os.WriteFile(script, []byte(`
import sys
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
for kind in sys.argv[1:]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    names = schema.get("createOnlyProperties", []) + schema.get("conditionalCreateOnlyProperties", [])
    print(kind, *sorted(name.removeprefix("/properties/") for name in names))
`), 0o600); err != nil {
		t.Fatal(err)
	}
	var kinds, want []string
	for kind := range schemas {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		properties, _ := Replaces(kind)
		want = append(want, strings.Join(append([]string{kind}, properties...), " "))
	}
	out, err := exec.Command(interpreter, append([]string{"-I", script}, kinds...)...).Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != strings.Join(want, "\n") {
		t.Errorf("%v\ncfn-lint has\n%s\nnot\n%s", err, got, strings.Join(want, "\n"))
	}
}
