package stack

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// golden compares a text with a file, or updates the file if UPDATE_GOLDEN is set.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := "testdata/" + file
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (UPDATE_GOLDEN=1 updates it):\n%s", path, diff)
	}
}

// The names in the template: renaming any of them replaces resources, or breaks users of outputs.
func TestTemplateGolden(t *testing.T) {
	root := parse(t, Template())
	var s strings.Builder
	section := func(title string, line func(name string, of object) string) {
		fmt.Fprintf(&s, "%s\n", title)
		all := root[title].(object)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&s, "  %s\n", strings.TrimRight(line(name, all[name].(object)), " "))
		}
	}
	section("Parameters", func(name string, of object) string {
		return fmt.Sprintf("%s %v = %v", name, of["Type"], of["Default"])
	})
	section("Resources", func(name string, of object) string {
		text := fmt.Sprintf("%s %v", name, of["Type"])
		for _, key := range []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy"} {
			if of[key] != nil {
				text += fmt.Sprintf(" %s=%v", key, of[key])
			}
		}
		for _, key := range []string{"TableName", "BucketName", "QueueName", "LogGroupName", "FunctionName", "RoleName", "ManagedPolicyName", "AlarmName"} {
			if v := at(of, "Properties", key); v != nil {
				text += fmt.Sprintf(" %s", texts(v)[0])
			}
		}
		return text
	})
	section("Outputs", func(name string, of object) string {
		return fmt.Sprintf("%s = %s %v", name, texts(of["Value"])[0], aws.ToString(textOrNil(of["Condition"])))
	})
	golden(t, "template.txt", s.String())
	if len(template) > largestInlineBytes {
		t.Errorf("%d bytes do not go inline", len(template))
	}
}

func textOrNil(v any) *string {
	if s, ok := v.(string); ok {
		return &s
	}
	return nil
}

// templateDefaults returns the template's parameters and defaults.
func TestParametersOf(t *testing.T) {
	want := map[string]string{}
	for name, of := range parse(t, template)["Parameters"].(object) {
		want[name] = fmt.Sprint(of.(object)["Default"])
	}
	if diff := cmp.Diff(want, templateDefaults(template)); diff != "" || len(want) < 25 {
		t.Error(diff)
	}
}

// The template of an import has only the imported resources and no outputs.
func TestImporting(t *testing.T) {
	for _, c := range []struct {
		table  *tableFacts
		bucket string
	}{{&tableFacts{TableDescription: &types.TableDescription{}}, "b"}, {&tableFacts{TableDescription: &types.TableDescription{}}, ""}, {nil, "b"}} {
		root := parse(t, importTemplate(&existing{table: c.table, bucket: c.bucket}))
		resources, whole := root["Resources"].(object), resourcesOf(t, template)
		if (resources[resourceTable] != nil) != (c.table != nil) || (resources[resourceBucket] != nil) != (c.bucket != "") || len(resources) > 2 || root["Outputs"] != nil {
			t.Errorf("%+v: %v", c, slices.Collect(maps.Keys(root)))
		}
		for name, of := range resources {
			for _, same := range []string{"Type", "Condition", "DeletionPolicy", "UpdateReplacePolicy"} {
				if diff := cmp.Diff(at(whole[name], same), at(of, same)); diff != "" {
					t.Errorf("%s: %s: %s", name, same, diff)
				}
			}
		}
	}
}

// All names are derived from the stack's name, and resources with data are retained.
func TestTemplateData(t *testing.T) {
	for name, of := range resourcesOf(t, template) {
		data := name == resourceTable || name == resourceBucket
		for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
			if want := map[string]any{"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}[policy]; data && at(of, policy) != want || !data && at(of, policy) != nil {
				t.Errorf("%s has %s %v", name, policy, at(of, policy))
			}
		}
	}
}

// sent records the requests of the driver.
type sent struct{ bodies map[string]object }

// Do implements the SDK's aws.HTTPClient.
func (s *sent) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	s.bodies[operation] = o
	answer := `{"Table":{"TableStatus":"ACTIVE"},"Item":{"version":{"N":"1"}}}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// The table equals the one that the driver creates for tests: keys, index, stream, expiry and schema record.
func TestTemplateTable(t *testing.T) {
	s := &sent{map[string]object{}}
	o := &dynamo.Options{Config: &aws.Config{Region: "us-east-1", HTTPClient: s, Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}}
	if err := dynamo.CreateTable(t.Context(), app, o); err != nil {
		t.Fatal(err)
	}
	table := at(resourcesOf(t, template), resourceTable, "Properties").(object)
	made := s.bodies["CreateTable"]
	for _, property := range []string{"KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode"} {
		if diff := cmp.Diff(made[property], table[property]); diff != "" {
			t.Errorf("%s: %s", property, diff)
		}
	}
	if want, got := at(made, "StreamSpecification", "StreamViewType"), at(table, "StreamSpecification", "StreamViewType"); want != got || want == nil {
		t.Errorf("stream: %v, not %v", got, want)
	}
	item := s.bodies["PutItem"]["Item"]
	if at(item, "PK", "S") != at(plainKey(), "PK") || at(item, "SK", "S") != at(plainKey(), "SK") || at(item, attributeVersion, "N") != fmt.Sprint(schemaVersion) {
		t.Errorf("the driver's schema record is %v", item)
	}
	store, err := dynamo.Open(t.Context(), app, o)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key := schema.Deletion("default", "e")
	w := []backend.Write{{Key: key, Layout: schema.MarkLayout, Effects: []backend.Effect{{Op: backend.Set, Slot: schema.MarkAt}}, Expiry: 1_800_000_000}}
	_ = store.Apply(t.Context(), w, make([]backend.Outcome, 1)) // the answer is not an item
	names := s.bodies["UpdateItem"]["ExpressionAttributeNames"].(object)
	if attribute := at(table, "TimeToLiveSpecification", "AttributeName"); !slices.Contains(slices.Collect(maps.Values(names)), attribute) || at(table, "TimeToLiveSpecification", "Enabled") != true {
		t.Errorf("records expire by %v, and the driver sets %v", attribute, names)
	}
	if schemaVersion != schema.CurrentVersion {
		t.Errorf("the schema's version is %d", schema.CurrentVersion)
	}
}

func plainKey() object {
	k := schema.Version()
	return object{"PK": k.Namespace + "/" + k.Partition, "SK": k.Sort}
}

// The event source passes what the aggregator counts and archives, and nothing that it writes itself.
func TestFilters(t *testing.T) {
	var patterns []object
	for _, f := range at(resourcesOf(t, template), "AggregatorFeed", "Properties", "FilterCriteria", "Filters").([]any) {
		var p object
		if err := json.Unmarshal([]byte(f.(object)["Pattern"].(string)), &p); err != nil {
			t.Fatal(err)
		}
		if patterns = append(patterns, p); len(p) > 1 || p["dynamodb"] == nil {
			t.Errorf("Lambda promises to look at dynamodb, and not at %v", p)
		}
	}
	if len(patterns) > 5 {
		t.Errorf("%d filters, of 5 at most", len(patterns))
	}
	bucket, _ := schema.Bucket("default", "e", "r")
	event, _ := schema.Audit("default", "e", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	entity, _ := schema.Entity("default", "e")
	limits, _ := schema.EntityLimits("default", "e", "bucket")
	usage, _ := schema.Usage("default", "e", "bucket", schema.Hourly, 0)
	kinds := map[backend.Kind]string{backend.Number: "N", backend.Text: "S", backend.Bytes: "B"}
	image := func(l *backend.Layout) object {
		o := object{}
		for _, slot := range l.Slots() {
			f := l.Field(slot)
			o[f.Name] = object{kinds[f.Kind]: "x"}
		}
		return o
	}
	ttl := object{"type": "Service", "principalId": "dynamodb.amazonaws.com"}
	for _, c := range []struct {
		what, name string
		key        backend.Key
		l          *backend.Layout
		identity   any
		want       bool
	}{
		{"new bucket", "INSERT", bucket, schema.BucketLayout, nil, true},
		{"bucket", "MODIFY", bucket, schema.BucketLayout, nil, true},
		{"bucket that goes", "REMOVE", bucket, schema.BucketLayout, nil, true},
		{"new audit event", "INSERT", event, schema.AuditLayout, nil, true},
		{"audit event with another expiry", "MODIFY", event, schema.AuditLayout, nil, true},
		{"audit event that is purged", "REMOVE", event, schema.AuditLayout, nil, true},
		{"expired audit event", "REMOVE", event, schema.AuditLayout, ttl, true},
		{"expired audit event, as an emulator has it", "UNKNOWN_TO_SDK_VERSION", event, schema.AuditLayout, ttl, true},
		{"usage", "MODIFY", usage, schema.UsageLayout, nil, false},
		{"new usage", "INSERT", usage, schema.UsageLayout, nil, false},
		{"entity", "INSERT", entity, schema.EntityLayout, nil, false},
		{"limits", "MODIFY", limits, schema.ConfigLayout, nil, false},
		{"expired mark", "REMOVE", schema.Deletion("default", "e"), schema.MarkLayout, ttl, false},
		{"namespace", "INSERT", schema.Namespace("n"), schema.NamespaceLayout, nil, false},
	} {
		record := object{"eventName": c.name, "userIdentity": c.identity, "dynamodb": object{
			"Keys": object{"PK": object{"S": c.key.Namespace + "/" + c.key.Partition}, "SK": object{"S": c.key.Sort}},
		}}
		if c.name == "INSERT" || c.name == "MODIFY" {
			record["dynamodb"].(object)["NewImage"] = image(c.l)
		} else {
			record["dynamodb"].(object)["OldImage"] = image(c.l)
		}
		if got := slices.ContainsFunc(patterns, func(p object) bool { return passes(p, record) }); got != c.want {
			t.Errorf("%s passes: %v", c.what, got)
		}
	}
}

// passes matches as Lambda does: every field in a pattern must have one of its values, or exist.
func passes(pattern object, record any) bool {
	for key, want := range pattern {
		have := at(record, key)
		if inner, ok := want.(object); ok {
			if !passes(inner, have) {
				return false
			}
			continue
		}
		if !slices.ContainsFunc(want.([]any), func(one any) bool {
			if rule, ok := one.(object); ok {
				return rule["exists"] == (have != nil)
			}
			return one == have
		}) {
			return false
		}
	}
	return true
}
