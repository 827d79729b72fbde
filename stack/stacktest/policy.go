package stacktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// Request is one that IAM authorizes.
type Request struct {
	By       string // what makes it, for messages
	Action   string // dynamodb:GetItem
	Resource string // an ARN; * for an action that knows no resources
	// Context has the condition keys that the request comes with. A key that it lacks has no value.
	Context map[string][]string
}

// String names the request in messages.
func (q Request) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s on %s %v", q.By, q.Action, q.Resource, q.Context))
}

// With is the request with one more condition key; without values it is the request as it is.
func (q Request) With(key string, values ...string) Request {
	if len(values) == 0 {
		return q
	}
	all := map[string][]string{key: values}
	maps.Copy(all, q.Context)
	q.Context = all
	return q
}

// Policy is an IAM policy of an identity, or a boundary of permissions.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is one of a policy.
type Statement struct {
	Sid              string `json:",omitempty"`
	Effect           string
	Action, Resource texted
	Condition        map[string]map[string]texted `json:",omitempty"` // operator, key, values
}

// texted is one text or a list of them.
type texted []string

// UnmarshalJSON implements [json.Unmarshaler].
func (l *texted) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// ParsePolicy reads a policy document: JSON, or what [Render] returns. It fails the test if the document has something that is
// not in [Policy].
func ParsePolicy(t testing.TB, document any) (p Policy) {
	t.Helper()
	encoded, isJSON := document.([]byte)
	var err error
	if !isJSON {
		encoded, err = json.Marshal(document)
	}
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(encoded))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(&p)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, encoded)
	}
	return p
}

// Allows reports whether the policy, as the only one of its caller, allows a request. It fails the test if IAM does not know
// the action, the resource or a condition key. Policies are evaluated by npm's @cloud-copilot/iam-simulate: the test is skipped
// unless ZAE_LIMITER_TEST_ALL is set, or if it is not installed, and fails then if ZAE_LIMITER_TEST_REQUIRE has iam-simulate
// in it.
func (p Policy) Allows(t testing.TB, q Request) bool {
	t.Helper()
	answer, err := simulate(installed(t, "iam-simulate", "node", nodePackages), p, q)
	if err != nil {
		t.Fatalf("the simulator of policies: %v: %v", err, q)
	}
	if answer != "Allowed" && answer != "ImplicitlyDenied" && answer != "ExplicitlyDenied" {
		t.Errorf("%v: %s", q, answer)
	}
	return answer == "Allowed"
}

// like reports whether a text matches a pattern of IAM, with * for any text.
func like(pattern, text string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "|"), strings.ReplaceAll(text, "/", "|"))
	return err == nil && ok
}
