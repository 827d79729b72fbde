package stack

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// The template has no deny statements. A deny would override other grants: with one for kms:Decrypt, Lambda could not decrypt the
// function's variables, which it does with the function's role.
func TestNoDeny(t *testing.T) {
	if strings.Contains(template, "Deny") {
		t.Error("the template has a statement that denies")
	}
	variables := request{Action: "kms:Decrypt", Resource: "arn:aws:kms:us-east-1:123456789012:key/of-lambda"}
	grant := stacktest.ParsePolicy(t, []byte(`{"Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]}`)).Statement
	for what, parameters := range map[string]map[string]string{"all": allOn(), "plain": {}, "no IAM roles": {"EnableAuditArchival": valueFalse, paramBucket: "b"}} {
		p := policyOf(t, rendered(t, parameters), "AggregatorRole")
		if p.Statement = append(p.Statement, grant...); !p.Allows(t, variables) {
			t.Errorf("%s: a grant of the key of Lambda's variables has no effect", what)
		}
	}
}

// managed returns the managed policies by the name of the resource.
func managed(resources map[string]stacktest.Rendered) []string {
	names := slices.Sorted(maps.Keys(resources))
	return slices.DeleteFunc(names, func(name string) bool { return resources[name].Type != "AWS::IAM::ManagedPolicy" })
}

// The managed policies allow decryption with the table's key only for reading the table. For all partitions, kms:ViaService is
// documented as dynamodb.REGION.amazonaws.com, but reported as dynamodb.REGION.amazonaws.com.cn in China: both are allowed.
func TestKeyPermissions(t *testing.T) {
	t.Parallel()
	for region, place := range map[string]struct{ partition, suffix string }{
		stacktest.Region: {"aws", "amazonaws.com"}, "cn-north-1": {"aws-cn", "amazonaws.com.cn"}, "us-gov-west-1": {"aws-us-gov", "amazonaws.com"},
	} {
		key := "arn:" + place.partition + ":kms:" + region + ":" + stacktest.Account + ":key/1234"
		parameters := allOn()
		parameters[paramKey] = key
		with, without := stacktest.Render(t, template, app, parameters, region), stacktest.Render(t, template, app, nil, region)
		if len(managed(with)) != 6 {
			t.Fatalf("managed policies: %v", managed(with))
		}
		for _, name := range managed(with) {
			for service, want := range map[string]bool{
				"dynamodb." + region + ".amazonaws.com": true, "dynamodb." + region + "." + place.suffix: true, "s3." + region + ".amazonaws.com": false, "": false,
			} {
				q := request{Action: "kms:Decrypt", Resource: key}
				if service != "" {
					q = q.With("kms:ViaService", service)
				}
				what := fmt.Sprintf("%s in %s", name, region)
				p := policyOf(t, with, name)
				if got := p.Allows(t, q); got != want {
					t.Errorf("%s: through %q: %v", what, service, got)
				}
				if without := policyOf(t, without, name); without.Allows(t, q) {
					t.Errorf("%s: a table without a key: through %q", what, service)
				}
			}
		}
	}
}

// The template and the code work in all partitions. The names of services as principals have the same suffix in all of them: in China, IAM
// rejects lambda.amazonaws.com.cn.
func TestPartitions(t *testing.T) {
	for n, line := range strings.Split(template, "\n") {
		fixed := strings.ReplaceAll(line, "{Service: lambda.amazonaws.com}", "")
		if strings.Contains(fixed, "amazonaws.com") || strings.Contains(fixed, "arn:aws") || strings.Contains(fixed, "us-east-1") {
			t.Errorf("template.yaml:%d is of one partition: %s", n+1, line)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil || !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), `"arn:aws`) {
			t.Errorf("%s is of one partition: %v", name, err)
		}
	}
	in := stacktest.Render(t, template, app, map[string]string{paramBucket: "zae-app", paramCodeKey: "lambda/0.zip", "EnableIAMRoles": valueTrue}, "cn-north-1")
	text := fmt.Sprint(in)
	for _, foreign := range []string{"arn:aws:", "us-east-1"} {
		if i := strings.Index(text, foreign); i >= 0 {
			t.Errorf("in China: %s", text[max(0, i-60):i+60])
		}
	}
}

// Lifecycle rules only move objects that become cheaper: the storage classes for infrequent access and instant retrieval bill at
// least 128 KB per object, and by default S3 does not move smaller objects.
func TestTransitions(t *testing.T) {
	const least = 128 << 10
	rules := at(rendered(t, allOn())[resourceBucket].Properties, "LifecycleConfiguration", "Rules").([]any)
	moving := 0
	for _, rule := range rules {
		if at(rule, "Transitions") == nil {
			continue
		}
		moving++
		if above := at(rule, "ObjectSizeGreaterThan"); fmt.Sprint(above) != fmt.Sprint(least-1) {
			t.Errorf("rule %v moves objects above %v bytes, not of %d and more", at(rule, "Id"), above, least)
		}
	}
	if moving != 1 {
		t.Errorf("%d rules move objects", moving)
	}
}

// The function starts at the beginning of the stream whenever it is enabled: the stream keeps records for 24 hours, and counting them
// late or twice has the same result as counting them once.
func TestFeedAge(t *testing.T) {
	feed := rendered(t, allOn())["AggregatorFeed"].Properties
	for property, want := range map[string]any{
		"MaximumRecordAgeInSeconds": -1.0, "StartingPosition": "TRIM_HORIZON", "BisectBatchOnFunctionError": true,
		"FunctionResponseTypes": []any{"ReportBatchItemFailures"},
	} {
		if got := feed[property]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, not %v", property, got, want)
		}
	}
	if at(feed, "DestinationConfig", "OnFailure", "Destination") != "arn:aws:sqs:us-east-1:123456789012:app-aggregator-dlq" {
		t.Errorf("failures go to %v", feed["DestinationConfig"])
	}
}
