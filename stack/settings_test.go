package stack

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// everything sets every option.
func everything() Options {
	topic, role, policy, key := "arn:aws:sns:us-east-1:123456789012:alarms", "arn:aws:iam::123456789012:role/agg", "boundary", "arn:aws:kms:us-east-1:123456789012:key/1-2"
	days, on, off := 35, true, false
	return Options{
		Aggregator: &on, SnapshotWindows: []string{"monthly", "hourly"}, UsageRetentionDays: 30, AuditRetentionDays: 3650, AuditArchival: &off,
		GlacierDays: 1, Architecture: "x86_64", LambdaTimeout: 900, LambdaMemory: 128, LogDays: 3653, Tracing: &on, Alarms: &on,
		AlarmTopic: &topic, DurationThreshold: 100, IAM: &on, Roles: &on, AggregatorRole: &role, PermissionBoundary: &policy,
		RoleNameFormat: "pre-{}", PolicyNameFormat: "{}-post", PITRDays: &days, KMSKey: &key, DeletionProtection: &on,
		TerminationProtection: &on, Tags: map[string]string{"team": "a b"},
	}
}

// Every parameter can be set by an option, except those that the deployment determines; unset options set no parameter.
func TestParametersOfOptions(t *testing.T) {
	o := everything()
	named, err := o.parameters()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(named)) {
		lines = append(lines, name+" = "+named[name])
	}
	golden(t, "parameters.txt", strings.Join(lines, "\n")+"\n")
	for name := range templateDefaults(template) {
		if _, ok := named[name]; !ok && name != paramBucket && name != paramCodeKey {
			t.Errorf("no option names %s", name)
		}
	}
	named, err = new(Options).parameters()
	if len(named) > 0 || err != nil {
		t.Errorf("no options name %v, %v", named, err)
	}
	off, none, zero := false, "", 0
	named, err = (&Options{Aggregator: &off, AlarmTopic: &none, PITRDays: &zero}).parameters()
	if want := map[string]string{paramAggregator: "false", "AlarmSNSTopicArn": "", "PITRRecoveryPeriodDays": "0"}; err != nil || !maps.Equal(named, want) {
		t.Errorf("%v, %v", named, err)
	}
}

// Invalid values are rejected with the name of the field.
func TestInvalid(t *testing.T) {
	text, number := func(s string) *string { return &s }, func(n int) *int { return &n }
	for field, all := range map[string][]Options{
		"SnapshotWindows":    {{SnapshotWindows: []string{}}, {SnapshotWindows: []string{"weekly"}}, {SnapshotWindows: []string{"daily", "daily"}}},
		"UsageRetentionDays": {{UsageRetentionDays: -1}, {UsageRetentionDays: 3651}},
		"AuditRetentionDays": {{AuditRetentionDays: 3651}},
		"GlacierDays":        {{GlacierDays: -5}},
		"Architecture":       {{Architecture: "amd64"}, {Architecture: "arm64", Code: codeFor("x86_64")}},
		"LambdaTimeout":      {{LambdaTimeout: 901}},
		"LambdaMemory":       {{LambdaMemory: 127}, {LambdaMemory: 3009}},
		"LogDays":            {{LogDays: 2}},
		"AlarmTopic":         {{AlarmTopic: text("alarms")}},
		"DurationThreshold":  {{DurationThreshold: 101}},
		"AggregatorRole":     {{AggregatorRole: text("role")}},
		"PermissionBoundary": {{PermissionBoundary: text("a b")}},
		"RoleNameFormat":     {{RoleNameFormat: "x"}, {RoleNameFormat: "{}{}"}, {RoleNameFormat: "{} x"}},
		"PolicyNameFormat":   {{PolicyNameFormat: "{"}},
		"PITRDays":           {{PITRDays: number(36)}, {PITRDays: number(-1)}},
		"KMSKey":             {{KMSKey: text("alias/x")}},
		"Tags":               {{Tags: map[string]string{"ManagedBy": "me"}}, {Tags: map[string]string{"aws:x": "y"}}, {Tags: map[string]string{"a*": "y"}}, {Tags: map[string]string{"zae-limiter:version": "y"}}},
		"Code":               {{Code: &Code{}}, {Code: &Code{Zip: []byte("PK"), Architecture: "mips"}}},
		"Endpoint":           {{Endpoint: "localhost"}},
	} {
		for _, o := range all {
			_, err := Ensure(t.Context(), app, &o)
			var invalid *InvalidError
			if !errors.Is(err, ErrInvalid) || !errors.As(err, &invalid) || invalid.Field != field || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", field, err)
			}
		}
	}
	for _, name := range []string{"", "ab", "1abc", "a_b", "a.bc", strings.Repeat("a", 54), "abc\n"} {
		if err := Delete(t.Context(), name, nil, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Invalid combinations are rejected, including those with the stack's current values.
func TestInvalidTogether(t *testing.T) {
	off := false
	for _, o := range []Options{{IAM: &off}, {RoleNameFormat: strings.Repeat("r", 60) + "{}"}, {PolicyNameFormat: "{}" + strings.Repeat("p", 120)}} {
		w := newWorld(t, nil)
		o.Code = codeFor("arm64")
		if _, err := w.ensure(o); !errors.Is(err, ErrInvalid) || len(w.Counts()) > 2 || w.Counts()["CreateChangeSet"] > 0 {
			t.Errorf("%v after %v", err, w.Counts())
		}
	}
}

func TestBucketName(t *testing.T) {
	for _, c := range []struct{ account, region, name, want string }{
		{"123456789012", "us-east-1", "app", "zae-app-"},
		{"123456789012", "us-east-1", "App", "zae-app-"},
		{"123456789012", "eu-west-1", "app", "zae-app-"},
		{"123456789012", "us-east-1", strings.Repeat("Aa", 26) + "-", "zae-" + strings.Repeat("aa", 23) + "-"},
	} {
		got := bucketName(c.account, c.region, c.name)
		if !strings.HasPrefix(got, c.want) || len(got) > 63 || len(got) != len(c.want)+digestLength || got != strings.ToLower(got) {
			t.Errorf("%v: %s", c, got)
		}
	}
	all := map[string]bool{bucketName("1", "r", "app"): true, bucketName("1", "r", "App"): true, bucketName("2", "r", "app"): true, bucketName("1", "q", "app"): true}
	if len(all) != 4 {
		t.Errorf("%v", fmt.Sprint(all))
	}
}
