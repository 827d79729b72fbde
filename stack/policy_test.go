package stack

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

type (
	request = stacktest.Request
	policy  = stacktest.Policy
)

const (
	leadingKeys = stacktest.LeadingKeys
	callersTag  = "aws:PrincipalTag/zae_limiter_namespace"
	testKey     = "arn:aws:kms:us-east-1:" + stacktest.Account + ":key/1234abcd"
)

// allOn returns parameters that deploy all resources.
func allOn() map[string]string {
	return map[string]string{
		paramBucket: bucketName(stacktest.Account, stacktest.Region, app), paramCodeKey: codeFolder + "0123.zip", paramKey: testKey,
		"EnableTracing": valueTrue, "EnableIAMRoles": valueTrue, "PITRRecoveryPeriodDays": "7",
	}
}

// rendered returns the template's resources in an account.
func rendered(t *testing.T, parameters map[string]string) map[string]stacktest.Rendered {
	t.Helper()
	return stacktest.Render(t, template, app, parameters, stacktest.Region)
}

// documentOf returns the document of a managed policy, or of the policy in a role.
func documentOf(t *testing.T, resources map[string]stacktest.Rendered, name string) any {
	t.Helper()
	properties := resources[name].Properties
	if inline, ok := properties["Policies"].([]any); ok {
		return at(inline[0], "PolicyDocument")
	}
	if properties["PolicyDocument"] == nil {
		t.Fatalf("%s has no policy", name)
	}
	return properties["PolicyDocument"]
}

func policyOf(t *testing.T, resources map[string]stacktest.Rendered, name string) policy {
	t.Helper()
	return stacktest.ParsePolicy(t, documentOf(t, resources, name))
}

// asCallerOf returns a request of a caller whose tag has a namespace; empty for a caller without the tag.
func asCallerOf(namespace string, q request) request {
	if namespace == "" {
		return q
	}
	return q.With(callersTag, namespace)
}

// mayNot returns the first request that a policy does not allow; nil if it allows all.
func mayNot(t *testing.T, p policy, asked []request, tag string) *request {
	t.Helper()
	for _, q := range asked {
		if !p.Allows(t, asCallerOf(tag, q)) {
			return &q
		}
	}
	return nil
}
