package stack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// Placeholders in the policies in deploy/policies.
const (
	placeName     = "NAME"
	placeBucket   = bucketPrefix + "NAME-????????????" // exactly the digest: a longer text would be the bucket of another name
	placeKey      = "arn:aws:kms:us-east-1:" + stacktest.Account + ":key/KEY"
	placeBoundary = "arn:aws:iam::" + stacktest.Account + ":policy/NAME-boundary"
)

// s3Actions maps calls of S3 to IAM actions.
var s3Actions = map[string][]string{
	"DeleteBucket": {"s3:DeleteBucket"}, "DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"}, "HeadBucket": {"s3:ListBucket"},
	"GetBucketEncryption": {"s3:GetEncryptionConfiguration"}, "GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration"},
	"HeadObject": {"s3:GetObject", "s3:ListBucket"}, "ListObjectVersions": {"s3:ListBucketVersions"}, "PutObject": {"s3:PutObject"},
}

// placed returns the template's resources with placeholders for names.
func placed(t *testing.T, bounded bool) map[string]stacktest.Rendered {
	t.Helper()
	parameters := allOn()
	parameters[paramKey], parameters[paramBucket], parameters[paramCodeKey] = placeKey, placeBucket, codeFolder+"*"
	if bounded {
		parameters[paramBoundary] = placeBoundary
	}
	return stacktest.Render(t, template, placeName, parameters, stacktest.Region)
}

// called returns all requests that this package's code can make, and those of the command line for an audit event.
func called(t *testing.T, resources map[string]stacktest.Rendered) (all []request) {
	t.Helper()
	source := packageSource(t)
	names := func(client string) (names []string) {
		for _, call := range regexp.MustCompile(`\bs\.`+client+`\.(\w+)\(`).FindAllStringSubmatch(source, -1) {
			names = append(names, call[1])
		}
		if names == nil {
			t.Fatalf("no calls of s.%s in the package's source", client)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	stackARN := "arn:aws:cloudformation:us-east-1:" + stacktest.Account + ":stack/NAME/*"
	for _, name := range append(names("stacks"), "TagResource") {
		all = append(all, request{Action: "cloudformation:" + name, Resource: stackARN})
	}
	for _, name := range names("tables") {
		all = append(all, request{Action: "dynamodb:" + name, Resource: resources[resourceTable].ARN})
	}
	for _, name := range names("s3") {
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
	for _, name := range names("sts") {
		all = append(all, request{Action: "sts:" + name, Resource: "*"})
	}
	// S3 encrypts the code with the bucket's key on behalf of the uploader, and Lambda reads it on behalf of the caller.
	for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey"} {
		all = append(all, request{Action: action, Resource: placeKey})
	}
	return append(all, eventRequests(t, resources[resourceTable].ARN)...)
}

// packageSource returns the text of this package's files, without tests.
func packageSource(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// eventRequests returns the requests that write an audit event.
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

// handled returns the requests with which CloudFormation creates, updates and deletes all resources, with the caller's permissions.
func handled(resources map[string]stacktest.Rendered) (all []request) {
	for _, r := range resources {
		for _, step := range []string{"create", "update", "delete"} {
			all = append(all, stacktest.HandlerRequests(step, r)...)
		}
	}
	return all
}

// grants collects requests into statements.
type grants struct {
	actions map[string]map[string]bool // by resource and condition, as JSON
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

// statement is a statement of a generated policy.
type statement struct {
	Sid       string         `json:",omitempty"`
	Effect    string         //
	Action    []string       //
	Resource  []string       //
	Condition map[string]any `json:",omitempty"`
}

// about returns the resource and the condition of a request as a key.
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
	text, _ := json.Marshal([]any{service, resource, conditions}) // cannot fail
	return string(text)
}

// statements returns as few statements as possible: those with the same actions and condition are merged, and read actions, of
// which CloudFormation needs more each year, are patterns.
func (g *grants) statements() (all []statement) {
	merged := map[string]*statement{}
	for about, actions := range g.actions {
		var parts []json.RawMessage
		_ = json.Unmarshal([]byte(about), &parts) // cannot fail: a result of about
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

// patterns replaces several read actions by one pattern.
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

// Maximum numbers of characters, without white space, of a managed policy and of all inline policies of a role.
const (
	mostInPolicy = 6144
	mostInRole   = 10240
)

// policyFile compares a policy with its file in deploy/policies, or updates the file.
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

// The deployer's policy allows all calls of the code, and what CloudFormation does to the template's resources on its behalf. The
// bounded one only allows roles with a boundary.
func TestDeployerPolicy(t *testing.T) {
	for name, bounded := range map[string]bool{"deployer.json": false, "deployer-bounded.json": true} {
		resources, g := placed(t, bounded), &grants{}
		asked := append(called(t, resources), handled(resources)...)
		if !bounded { // an update may remove the boundary
			for _, name := range []string{"AggregatorRole", "AppRole", "AdminRole", "ReadOnlyRole"} {
				asked = append(asked, request{Action: "iam:DeleteRolePermissionsBoundary", Resource: resources[name].ARN}, request{Action: "iam:PutRolePermissionsBoundary", Resource: resources[name].ARN})
			}
		}
		for _, q := range asked {
			if r := strings.TrimSuffix(q.Resource, ":*"); r == strings.TrimSuffix(resources["AggregatorLogs"].ARN, ":*") {
				g.add(about(request{Action: q.Action, Resource: r + ":*"}), q.Action) // IAM uses both forms
			}
			g.add(about(q), q.Action)
		}
		policyFile(t, name, g.statements())
	}
}
