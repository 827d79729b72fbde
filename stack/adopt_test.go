package stack

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// is checks the actual properties of a table or a bucket, which may differ from its stack's template.
func (w *world) is(kind, name string, want map[string]string) {
	w.t.Helper()
	for property, value := range want {
		if got := fmt.Sprint(w.Property(kind, name, property)); got != value {
			w.t.Errorf("%s of %s is %s, not %s", property, name, got, value)
		}
	}
}

func adopting(o *Options) { o.Adopt = true }

// A table that was restored from a backup has no stream, no TTL and no backups, and its schema record has the name of the stack
// whose table was backed up. It is adopted only with Adopt, and then matches the template.
func TestAdoptRestored(t *testing.T) {
	w := newWorld(t, nil)
	w.KeepTable(app, map[string]any{"GlobalSecondaryIndexes": gsi1("KEYS_ONLY")})
	w.record(app, "1", "other")
	_, err := w.ensure(with())
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "names the stack other: adopt it with --adopt") {
		t.Fatal(err)
	}
	days := 7
	o := with(adopting, func(o *Options) { o.PITRDays = &days })
	p, err := w.session(o).plan(t.Context())
	if err != nil || p.Action != Adopted || p.After[paramPITR] != "7" || w.Property(tableKind, app, "StreamSpecification") != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if r := w.mustEnsure(o); r.Action != Adopted || r.Info.SchemaVersion != "1" || !r.Info.Available || !r.Info.Aggregator {
		t.Errorf("%+v", r)
	}
	w.is(tableKind, app, map[string]string{
		"StreamSpecification.StreamViewType":                    "NEW_AND_OLD_IMAGES",
		"TimeToLiveSpecification.AttributeName":                 "ttl",
		"PointInTimeRecoverySpecification.RecoveryPeriodInDays": "7",
	})
	if got := w.schema(app); got != (schemaRecord{"1", app}) {
		t.Errorf("%+v", got)
	}
	// From now on it belongs to this stack.
	w.mustDelete(DeleteOptions{KeepData: true})
	if r := w.mustEnsure(with()); r.Action != Adopted || r.After[paramPITR] != "7" {
		t.Errorf("%+v", r)
	}
}

// A table of another tool, with or without a schema record, is adopted only with Adopt.
func TestAdoptForeign(t *testing.T) {
	for _, initialized := range []bool{true, false} {
		w := newWorld(t, nil)
		w.KeepTable(app, map[string]any{"BillingMode": "PROVISIONED", "ProvisionedThroughput": map[string]any{"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}})
		if initialized {
			w.record(app, "1", "")
		}
		for _, plan := range []bool{true, false} {
			s := w.session(with())
			_, err := s.plan(t.Context())
			if !plan {
				_, err = s.ensure(t.Context())
			}
			if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "--adopt") || w.Counts()["CreateChangeSet"] != 0 {
				t.Error(err)
			}
		}
		w.mustEnsure(with(adopting))
		w.is(tableKind, app, map[string]string{"BillingMode": "PAY_PER_REQUEST", "StreamSpecification.StreamViewType": "NEW_AND_OLD_IMAGES"})
		if indexes, _ := w.Property(tableKind, app, "GlobalSecondaryIndexes").([]any); len(indexes) != 1 {
			t.Errorf("%v", indexes)
		}
		if got := w.schema(app); got != (schemaRecord{"1", app}) {
			t.Errorf("%+v", got)
		}
		w.mustDelete(DeleteOptions{})
		if w.Exists(tableKind, app) {
			t.Error("the table is left")
		}
	}
}

func gsi1(projection string) []any {
	key := func(name, kind string) any { return map[string]any{"AttributeName": name, "KeyType": kind} }
	return []any{map[string]any{
		"IndexName": "GSI1", "KeySchema": []any{key("GSI1PK", "HASH"), key("GSI1SK", "RANGE")},
		"Projection": map[string]any{"ProjectionType": projection},
	}}
}

// Properties that no update can change are an error, and nothing is changed.
func TestAdoptUnfit(t *testing.T) {
	const key = "arn:aws:kms:us-east-1:123456789012:key/1-2"
	other := []any{map[string]any{"IndexName": "mine", "KeySchema": []any{}}}
	for says, properties := range map[string]map[string]any{
		"keys must be PK and SK":   {"KeySchema": []any{map[string]any{"AttributeName": "PK", "KeyType": "HASH"}}},
		"both strings":             {"AttributeDefinitions": []any{map[string]any{"AttributeName": "PK", "AttributeType": "N"}}},
		"view type KEYS_ONLY":      {"StreamSpecification": map[string]any{"StreamViewType": "KEYS_ONLY"}},
		"TTL attribute is expires": {"TimeToLiveSpecification": map[string]any{"Enabled": true, "AttributeName": "expires"}},
		"project KEYS_ONLY":        {"GlobalSecondaryIndexes": gsi1("ALL")},
		"has the index mine":       {"GlobalSecondaryIndexes": other},
		"local indexes":            {"LocalSecondaryIndexes": other},
		"--kms-key-arn":            {"SSESpecification": map[string]any{"SSEEnabled": true, "KMSMasterKeyId": key}},
	} {
		w := newWorld(t, nil)
		w.KeepTable(app, properties)
		if _, err := w.ensure(with(adopting)); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), says) || w.Counts()["CreateChangeSet"] != 0 {
			t.Errorf("%s: %v", says, err)
		}
	}
	for _, named := range []string{key, ""} { // the caller's own key, and DynamoDB's
		w := newWorld(t, nil)
		w.KeepTable(app, map[string]any{"SSESpecification": map[string]any{"SSEEnabled": true, "KMSMasterKeyId": key}})
		if r := w.mustEnsure(with(adopting, func(o *Options) { o.KMSKey = &named })); r.After[paramKey] != named {
			t.Errorf("%+v", r)
		}
		want := map[string]string{key: key, "": "<nil>"}[named]
		w.is(tableKind, app, map[string]string{"SSESpecification.KMSMasterKeyId": want})
	}
}

// Data that were kept are adopted, also with other options than before; options that are not set keep their values.
func TestAdoptChanged(t *testing.T) {
	const key = "arn:aws:kms:us-east-1:123456789012:key/1-2"
	w := newWorld(t, nil)
	days, on, off, k := 7, true, false, key
	bucket := w.mustEnsure(with(func(o *Options) { o.PITRDays, o.DeletionProtection, o.GlacierDays, o.KMSKey = &days, &on, 30, &k })).Info.Bucket
	w.mustDelete(DeleteOptions{KeepData: true})
	p, err := w.session(with()).plan(t.Context())
	if err != nil || p.After[paramPITR] != "7" || p.After[paramKey] != key || p.After[paramGlacier] != "30" {
		t.Errorf("%v, %v", p.After, err)
	}
	r := w.mustEnsure(with())
	if r.Action != Adopted || r.After[paramPITR] != "7" || r.After[paramProtection] != "true" || r.After[paramGlacier] != "30" || r.After[paramKey] != key {
		t.Errorf("%+v", r.After)
	}
	w.mustDelete(DeleteOptions{KeepData: true})
	days, k = 14, ""
	w.mustEnsure(with(func(o *Options) { o.PITRDays, o.DeletionProtection, o.GlacierDays, o.KMSKey = &days, &off, 60, &k }))
	w.is(tableKind, app, map[string]string{
		"PointInTimeRecoverySpecification.RecoveryPeriodInDays": "14", "DeletionProtectionEnabled": "false", "SSESpecification": "<nil>",
	})
	for _, rule := range w.Property(bucketKind, bucket, "LifecycleConfiguration.Rules").([]any) {
		if text := fmt.Sprint(rule); strings.Contains(text, "archive") && !strings.Contains(text, "TransitionInDays:60") {
			t.Error(text)
		}
	}
}

// A bucket that was kept without its table keeps its own settings: nothing else says what they were.
func TestAdoptBucketSettings(t *testing.T) {
	w, key := newWorld(t, nil), "arn:aws:kms:us-east-1:123456789012:key/1-2"
	w.mustEnsure(with(func(o *Options) { o.GlacierDays, o.KMSKey = 30, &key }))
	w.mustDelete(DeleteOptions{KeepData: true})
	w.dropTable()
	if r := w.mustEnsure(with()); r.Action != Adopted || r.After[paramGlacier] != "30" || r.After[paramKey] != key {
		t.Errorf("%+v", r.After)
	}
}

// A bucket that was kept is adopted even if nothing needs it now, so that it does not conflict with a later update.
func TestAdoptBucketWithoutAggregator(t *testing.T) {
	w, off, on := newWorld(t, nil), false, true
	bucket := w.mustEnsure(with()).Info.Bucket
	w.mustDelete(DeleteOptions{KeepData: true})
	w.mustEnsure(Options{Aggregator: &off})
	if r := w.mustEnsure(with(func(o *Options) { o.Aggregator = &on })); r.Info.Bucket != bucket || !r.Info.Aggregator {
		t.Errorf("%+v", r)
	}
	w.mustDelete(DeleteOptions{})
	if w.Exists(bucketKind, bucket) {
		t.Error("the bucket is left")
	}
	// A bucket that was created outside of the stack is an error.
	w.mustEnsure(Options{Aggregator: &off})
	w.Keep(bucketKind, bucket)
	if _, err := w.ensure(with(func(o *Options) { o.Aggregator = &on })); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), bucket) {
		t.Error(err)
	}
	w.mustDelete(DeleteOptions{})
	if w.Exists(bucketKind, bucket) {
		t.Error("the bucket is left, and the deletion said nothing")
	}
}

// A deployment never changes the version in a schema record, even if another program has written it meanwhile.
func TestSchemaVersionIsKept(t *testing.T) {
	for _, version := range []string{"0", "2"} {
		w := newWorld(t, nil)
		w.On("UpdateItem", func(int) { w.record(app, version, "") })
		w.mustEnsure(with())
		if got := w.schema(app); got != (schemaRecord{version, app}) {
			t.Errorf("%+v", got)
		}
	}
}

// Ensure waits for a table that is being deleted or restored.
func TestAdoptWaits(t *testing.T) {
	for _, status := range []types.TableStatus{types.TableStatusDeleting, types.TableStatusCreating} {
		w := newWorld(t, nil)
		w.KeepTable(app, map[string]any{"TableStatus": string(status)})
		w.On("DescribeTable", func(n int) {
			switch {
			case n == 3 && status == types.TableStatusDeleting:
				w.dropTable()
			case n == 3:
				w.KeepTable(app, nil)
			}
		})
		start := w.Clock.Now()
		if r := w.mustEnsure(with(adopting)); !r.Info.Available || w.Clock.Now().Sub(start) < 2*time.Second || !w.has(app, "waiting for the table app, which is in "+string(status)) {
			t.Errorf("%+v\n%s", r, w.story())
		}
	}
}

// A stack that another tool has created from the template is described, and adopted only with Adopt.
func TestAdoptStack(t *testing.T) {
	w := newWorld(t, nil)
	config := w.Config()
	_, err := cloudformation.NewFromConfig(config).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(app), TemplateBody: aws.String(Template()), Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Hour)
	i, err := Get(t.Context(), app, &Options{Config: &config})
	if err != nil || i.ID == "" || i.Status != "CREATE_COMPLETE" || i.TableStatus != "ACTIVE" {
		t.Fatalf("%+v, %v", i, err)
	}
	_, err = w.ensure(with())
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "--adopt") {
		t.Error(err)
	}
	if err := w.delete(DeleteOptions{Force: true}); !errors.Is(err, ErrForeign) || w.Counts()["DeleteStack"] != 0 {
		t.Error(err)
	}
	if r := w.mustEnsure(with(adopting)); r.Action != Updated || !r.Info.Aggregator {
		t.Errorf("%+v", r)
	}
	if r := w.mustEnsure(with()); r.Action != Unchanged {
		t.Errorf("%+v", r)
	}
	w.mustDelete(DeleteOptions{})
}
