package stack

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// request is one that DynamoDB authorizes: a request of the API, or one action of a transaction.
type request struct {
	by     string   // the operation of the engine
	action string   // dynamodb:GetItem
	index  bool     // on the index, not on the table
	keys   []string // leading keys; none in a scan
}

// policy is one of the template's.
type policy []rule

type rule struct {
	actions      []string
	table, index bool // what it is about
	null         string
	like, unlike []string
}

const (
	leadingKeys = "dynamodb:LeadingKeys"
	callersTag  = "${aws:PrincipalTag/zae_limiter_namespace}"
)

// policyOf reads a policy of the template, and refuses what the evaluation below does not know.
func policyOf(t *testing.T, resources object, name string) policy {
	t.Helper()
	var p policy
	for _, of := range at(resources, name, "Properties", "PolicyDocument", "Statement").([]any) {
		s := of.(object)
		if s["Sid"] == "Key" { // which a table with a key of its own takes; without one it is about no key that there is
			if resource := texts(s["Resource"]); !slices.Equal(texts(s["Action"]), []string{"kms:Decrypt"}) || len(resource) != 3 || resource[1] != "If Ref KMSKeyArn" {
				t.Fatalf("%s: %v", name, s)
			}
			continue
		}
		r := rule{actions: texts(s["Action"])}
		for _, about := range texts(s["Resource"]) {
			switch about {
			case "GetAtt Table.Arn":
				r.table = true
			case "Sub ${Table.Arn}/index/GSI1":
				r.index = true
			default:
				t.Fatalf("%s is about %s", name, about)
			}
		}
		if condition, ok := s["Condition"].(object); ok {
			r.null, _ = at(condition, "Null", leadingKeys).(string)
			r.like, r.unlike = texts(at(condition, "ForAllValues:StringLike", leadingKeys)), texts(at(condition, "ForAllValues:StringNotLike", leadingKeys))
			if len(condition) != 2+min(1, len(r.unlike)) || r.null == "" || r.like == nil {
				t.Fatalf("%s has a condition %v", name, condition)
			}
		}
		if s["Effect"] != "Allow" || len(s) > 5 {
			t.Fatalf("%s has a statement %v", name, s)
		}
		p = append(p, r)
	}
	return p
}

// allows evaluates a policy as IAM does, for a caller with a namespace for a tag; "" is a caller without one.
func (p policy) allows(q request, namespace string) bool {
	return slices.ContainsFunc(p, func(r rule) bool { return r.allows(q, namespace) })
}

func (r rule) allows(q request, namespace string) bool {
	if !slices.Contains(r.actions, q.action) || q.index && !r.index || !q.index && !r.table {
		return false
	}
	if r.null == "false" && q.keys == nil { // for all of nothing anything is true, hence the check for null
		return false
	}
	match := func(patterns []string, key string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			if strings.Contains(pattern, callersTag) && namespace == "" {
				return false // a variable without a value
			}
			return like(strings.ReplaceAll(pattern, callersTag, namespace), key)
		})
	}
	for _, key := range q.keys {
		if r.like != nil && !match(r.like, key) || match(r.unlike, key) {
			return false
		}
	}
	return true
}

// like is IAM's StringLike, with * for any text and ? for any character.
func like(pattern, text string) bool {
	hide := strings.NewReplacer("/", "\x00", "[", "\x01", `\`, "\x02") // which path.Match has other ideas of
	ok, err := path.Match(hide.Replace(pattern), hide.Replace(text))
	return err == nil && ok
}

// The evaluation itself: what IAM is known to do.
func TestPolicyEvaluation(t *testing.T) {
	p := policy{{
		actions: []string{"dynamodb:Query"}, table: true, null: "false",
		like: []string{callersTag + "/*", "_/*"}, unlike: []string{"_/secret"},
	}}
	for _, c := range []struct {
		what, namespace string
		q               request
		want            bool
	}{
		{"own key", "a", request{action: "dynamodb:Query", keys: []string{"a/b|e|x/y[1]"}}, true},
		{"all own", "a", request{action: "dynamodb:Query", keys: []string{"a/1", "_/2"}}, true},
		{"one of another", "a", request{action: "dynamodb:Query", keys: []string{"a/1", "b/2"}}, false},
		{"a longer name", "a", request{action: "dynamodb:Query", keys: []string{"ab/1"}}, false},
		{"no keys at all", "a", request{action: "dynamodb:Query"}, false},
		{"excepted", "a", request{action: "dynamodb:Query", keys: []string{"_/secret"}}, false},
		{"no tag", "", request{action: "dynamodb:Query", keys: []string{"/1"}}, false},
		{"index", "a", request{action: "dynamodb:Query", keys: []string{"a/1"}, index: true}, false},
		{"action", "a", request{action: "dynamodb:Scan", keys: []string{"a/1"}}, false},
	} {
		if got := p.allows(c.q, c.namespace); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
