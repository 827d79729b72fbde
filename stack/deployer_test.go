package stack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// Placeholders in the policies that stand in deploy/policies.
const (
	placeName     = "NAME"
	placeKey      = "arn:aws:kms:us-east-1:" + stacktest.Account + ":key/KEY"
	placeBoundary = "arn:aws:iam::" + stacktest.Account + ":policy/NAME-boundary"
)

// s3Actions are those of the calls of S3: what IAM calls them.
var s3Actions = map[string][]string{
	"DeleteBucket": {"s3:DeleteBucket"}, "DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"}, "HeadBucket": {"s3:ListBucket"},
	"GetBucketEncryption": {"s3:GetEncryptionConfiguration"}, "GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration"},
	"HeadObject": {"s3:GetObject", "s3:ListBucket"}, "ListObjectVersions": {"s3:ListBucketVersions"}, "PutObject": {"s3:PutObject"},
}

// placed are the template's resources with placeholders for names.
func placed(t *testing.T, bounded bool) map[string]stacktest.Rendered {
	t.Helper()
	parameters := allOn()
	parameters[paramKey], parameters[paramBucket], parameters[paramCodeKey] = placeKey, "zae-NAME-*", codeFolder+"*"
	if bounded {
		parameters[paramBoundary] = placeBoundary
	}
	return stacktest.Render(t, template, placeName, parameters, stacktest.Place{})
}

// called are what this package's code can ask for, whether a test makes it or not, and what the command line adds: an audit
// event.
func called(t *testing.T, resources map[string]stacktest.Rendered) (all []request) {
	t.Helper()
	names := func(calls any) (names []string) {
		for f := range reflect.TypeOf(calls).Fields() {
			names = append(names, f.Name)
		}
		return names
	}
	stackARN := "arn:aws:cloudformation:us-east-1:" + stacktest.Account + ":stack/NAME/*"
	for _, name := range append(names(stacks{}), "TagResource") {
		all = append(all, request{Action: "cloudformation:" + name, Resource: stackARN})
	}
	for _, name := range names(tables{}) {
		all = append(all, request{Action: "dynamodb:" + name, Resource: resources[resourceTable].ARN})
	}
	for _, name := range names(buckets{}) {
		if s3Actions[name] == nil {
			t.Errorf("s3Actions does not know %s", name)
		}
		for _, action := range s3Actions[name] {
			resource := resources[resourceBucket].ARN
			if strings.Contains(action, "Object") {
				resource += "/*"
			}
			all = append(all, request{Action: action, Resource: resource})
		}
	}
	for _, name := range names(callers{}) {
		all = append(all, request{Action: "sts:" + name, Resource: "*"})
	}
	// S3 encrypts the code by the bucket's key for who uploads it, and Lambda reads it for who creates the function.
	for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey"} {
		all = append(all, request{Action: action, Resource: placeKey})
	}
	return append(all, eventRequests(t, resources[resourceTable].ARN)...)
}

// eventRequests are what it takes to write an audit event.
func eventRequests(t *testing.T, table string) []request {
	t.Helper()
	a := stacktest.Start(t, nil)
	config, off := a.Config(), false
	if _, err := Ensure(t.Context(), app, &Options{Config: &config, Aggregator: &off, Now: a.Clock.Now, Sleep: a.Clock.Sleep}); err != nil {
		t.Fatal(err)
	}
	store, err := dynamo.Open(t.Context(), app, &dynamo.Options{Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l, err := engine.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.RecordEvent(t.Context(), engine.Recorded{Action: "stack_updated"}); err != nil {
		t.Fatal(err)
	}
	var all []request
	for _, q := range a.Authorized() {
		if strings.HasPrefix(q.Action, "dynamodb:") && q.By == "" {
			all = append(all, request{Action: q.Action, Resource: table})
		}
	}
	return all
}

// handled are what CloudFormation asks for, with its caller's permissions, to create, change and delete all resources.
func handled(resources map[string]stacktest.Rendered) (all []request) {
	for _, r := range resources {
		for _, step := range []string{"create", "update", "delete"} {
			all = append(all, stacktest.HandlerRequests(step, r)...)
		}
	}
	return all
}

// grants gather requests into statements.
type grants struct {
	actions map[string]map[string]bool // by what they are about: resource and condition, as JSON
}

func (g *grants) add(about string, action string) {
	if g.actions == nil {
		g.actions = map[string]map[string]bool{}
	}
	if g.actions[about] == nil {
		g.actions[about] = map[string]bool{}
	}
	g.actions[about][action] = true
}

// statement is one of a policy that is written.
type statement struct {
	Sid       string         `json:",omitempty"`
	Effect    string         //
	Action    []string       //
	Resource  []string       //
	Condition map[string]any `json:",omitempty"`
}

// about tells what a request is about, so that equal ones go together.
func about(q request) string {
	service, _, _ := strings.Cut(q.Action, ":")
	resource := q.Resource
	if i := strings.Index(resource, ":event-source-mapping:"); i >= 0 {
		resource = resource[:i] + ":event-source-mapping:*"
	}
	conditions := map[string]any{}
	for key, values := range q.Context {
		switch operator := "StringEquals"; key {
		case "lambda:FunctionArn":
			conditions["ArnLike"] = map[string]any{key: values[0]}
		case "iam:PassedToService", "iam:PermissionsBoundary":
			conditions[operator] = map[string]any{key: values[0]}
		}
	}
	text, _ := json.Marshal([]any{service, resource, conditions}) // texts
	return string(text)
}

// statements are as few as there can be: those with the same actions and condition are one, and reading, of which CloudFormation
// asks more with each year, is by patterns.
func (g *grants) statements() (all []statement) {
	merged := map[string]*statement{}
	for about, actions := range g.actions {
		var parts []json.RawMessage
		_ = json.Unmarshal([]byte(about), &parts) // about made it
		s := statement{Effect: "Allow", Action: patterns(slices.Sorted(maps.Keys(actions)))}
		var resource string
		_, _ = json.Unmarshal(parts[1], &resource), json.Unmarshal(parts[2], &s.Condition)
		same := fmt.Sprint(s.Action, string(parts[2]))
		if merged[same] == nil {
			merged[same] = &s
		}
		merged[same].Resource = append(merged[same].Resource, placeholders(resource))
	}
	anywhere := statement{Sid: "Anywhere", Effect: "Allow", Resource: []string{"*"}}
	for _, s := range merged {
		slices.Sort(s.Resource)
		if len(s.Condition) == 0 {
			s.Condition = nil
		}
		if s.Condition == nil && slices.Equal(s.Resource, []string{"*"}) {
			anywhere.Action = append(anywhere.Action, s.Action...)
			continue
		}
		all = append(all, *s)
	}
	slices.Sort(anywhere.Action)
	slices.SortFunc(all, func(a, b statement) int {
		return cmp.Or(cmp.Compare(a.Action[0], b.Action[0]), slices.Compare(a.Action, b.Action), slices.Compare(a.Resource, b.Resource))
	})
	return append(all, anywhere)
}

// patterns puts one pattern for several actions that read.
func patterns(actions []string) (all []string) {
	for _, action := range actions {
		service, name, _ := strings.Cut(action, ":")
		for _, verb := range []string{"Describe", "Get", "List"} {
			several := slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return !strings.HasPrefix(a, service+":"+verb) })
			if strings.HasPrefix(name, verb) && len(several) > 1 {
				action = service + ":" + verb + "*"
			}
		}
		if !slices.Contains(all, action) {
			all = append(all, action)
		}
	}
	return all
}

func placeholders(arn string) string {
	return strings.NewReplacer("us-east-1", "REGION", stacktest.Account, "ACCOUNT", "2026-03-04T05:06:07.000", "*").Replace(arn)
}

// mostInPolicy is how many characters a managed policy may have, white space not counted.
const mostInPolicy = 6144

// policyFile compares a policy with its file in deploy/policies, or writes it.
func policyFile(t *testing.T, name string, all []statement) {
	t.Helper()
	for i := range all {
		for _, conditions := range all[i].Condition {
			for key, value := range conditions.(map[string]any) {
				conditions.(map[string]any)[key] = placeholders(value.(string))
			}
		}
	}
	document := struct {
		Version   string
		Statement []statement
	}{"2012-10-17", all}
	short, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if len(short) > mostInPolicy {
		t.Errorf("%s has %d characters, of %d at most", name, len(short), mostInPolicy)
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("../deploy/policies", 0o755); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../deploy/policies/"+name, string(text)+"\n")
}

// The policy of who deploys has what the code can call, and what CloudFormation does on its behalf to what the template has. The
// bounded one creates only roles with a boundary.
func TestDeployerPolicy(t *testing.T) {
	for name, bounded := range map[string]bool{"deployer.json": false, "deployer-bounded.json": true} {
		resources, g := placed(t, bounded), &grants{}
		asked := append(called(t, resources), handled(resources)...)
		if !bounded { // an update may take the boundary off
			for _, name := range []string{"AggregatorRole", "AppRole", "AdminRole", "ReadOnlyRole"} {
				asked = append(asked, request{Action: "iam:DeleteRolePermissionsBoundary", Resource: resources[name].ARN}, request{Action: "iam:PutRolePermissionsBoundary", Resource: resources[name].ARN})
			}
		}
		for _, q := range asked {
			if r := strings.TrimSuffix(q.Resource, ":*"); r == strings.TrimSuffix(resources["AggregatorLogs"].ARN, ":*") {
				g.add(about(request{Action: q.Action, Resource: r + ":*"}), q.Action) // IAM has it both ways
			}
			g.add(about(q), q.Action)
		}
		policyFile(t, name, g.statements())
	}
}
