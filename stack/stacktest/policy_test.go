package stacktest

import "testing"

// TestAllows asks about a policy with conditions and variables, as those of namespaces are.
func TestAllows(t *testing.T) {
	t.Parallel()
	const table, tag = "arn:aws:dynamodb:us-east-1:123456789012:table/app", "aws:PrincipalTag/team"
	p := ParsePolicy(t, []byte(`{"Version": "2012-10-17", "Statement": [
		{"Sid": "Own", "Effect": "Allow", "Action": ["dynamodb:Query", "dynamodb:Batch*"], "Resource": "`+table+`", "Condition": {
			"Null": {"dynamodb:LeadingKeys": "false"},
			"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/team}/*", "_/*"]}}},
		{"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"},
		{"Effect": "Deny", "Action": "iam:GetRole", "Resource": "arn:aws:iam::123456789012:role/secret"}
	]}`))
	query := func(keys ...string) Request {
		return Request{Action: "dynamodb:Query", Resource: table}.With(LeadingKeys, keys...).With(tag, "a")
	}
	role := Request{Action: "iam:GetRole", Resource: "arn:aws:iam::123456789012:role/x"}
	secret := role
	secret.Resource = "arn:aws:iam::123456789012:role/secret"
	for what, c := range map[string]struct {
		q    Request
		want bool
	}{
		"own key": {query("a/b"), true}, "one of another": {query("a/1", "b/2"), false}, "no keys": {query(), false},
		"a longer name": {query("ab/1"), false}, "any resource": {role, true}, "denied": {secret, false},
	} {
		if got := p.Allows(t, c.q); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
	for what, q := range map[string]Request{
		"unknown action": {Action: "iam:GetRule", Resource: role.Resource}, "unknown resource": {Action: "iam:GetRole", Resource: "arn:aws:s3:::b"},
		"unknown key": role.With("iam:Nothing", "x"),
	} {
		silent := &silentTB{TB: t}
		if p.Allows(silent, q); silent.errors != 1 {
			t.Errorf("%s is no error", what)
		}
	}
}

// silentTB counts errors and reports none.
type silentTB struct {
	testing.TB
	errors int
}

// Errorf implements [testing.TB].
func (s *silentTB) Errorf(string, ...any) { s.errors++ }
