package stacktest

import "testing"

// The evaluator knows what IAM is known to do, and so does the one that somebody else wrote.
func TestPolicy(t *testing.T) {
	t.Parallel()
	const table, tag = "arn:aws:dynamodb:us-east-1:123456789012:table/app", "aws:PrincipalTag/team"
	document := []byte(`{"Version": "2012-10-17", "Statement": [
		{"Sid": "Own", "Effect": "Allow", "Action": ["dynamodb:Query", "dynamodb:Batch*"], "Resource": "` + table + `", "Condition": {
			"Null": {"dynamodb:LeadingKeys": "false"},
			"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/team}/*", "_/*"]},
			"ForAllValues:StringNotLike": {"dynamodb:LeadingKeys": "_/secret"}}},
		{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/app-*", "Condition": {
			"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com"]}}},
		{"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
	]}`)
	p := ParsePolicy(t, document)
	query := func(keys ...string) Request {
		return Request{Action: "dynamodb:Query", Resource: table}.With(LeadingKeys, keys...).With(tag, "a")
	}
	pass := Request{Action: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/app-aggr"}
	get := Request{Action: "dynamodb:GetItem", Resource: table}.With(LeadingKeys, "a/1").With(tag, "a")
	index := query("a/1")
	index.Resource += "/index/GSI1"
	batch := query("a/1")
	batch.Action = "dynamodb:BatchGetItem"
	var cases []Case
	for what, c := range map[string]struct {
		q    Request
		want bool
	}{
		"own key":                {query("a/b|e|x/y[1]"), true},
		"all own":                {query("a/1", "_/2"), true},
		"one of another":         {query("a/1", "b/2"), false},
		"a longer name":          {query("ab/1"), false},
		"no keys at all":         {query(), false},
		"excepted":               {query("_/secret"), false},
		"no tag":                 {Request{Action: "dynamodb:Query", Resource: table}.With(LeadingKeys, "/1"), false},
		"index":                  {index, false},
		"another action":         {get, false},
		"a pattern of actions":   {batch, true},
		"a context":              {pass.With("iam:PassedToService", "lambda.amazonaws.com"), true},
		"another context":        {pass.With("iam:PassedToService", "ec2.amazonaws.com"), false},
		"no context":             {pass, false},
		"any resource":           {Request{Action: "iam:GetRole", Resource: "arn:aws:iam::123456789012:role/x"}, true},
		"nothing of the service": {Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}, false},
	} {
		if got := p.Allows(c.q); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
		cases = append(cases, Case{Policy: what, Document: document, Request: c.q, Allowed: c.want})
	}
	denying := p
	denying.Statement = append(denying.Statement, Statement{Effect: "Deny", Action: texted{"dynamodb:*"}, Resource: texted{"*"}})
	if denying.Allows(query("a/1")) || !denying.Allows(pass.With("iam:PassedToService", "lambda.amazonaws.com")) {
		t.Error("a statement that denies does not beat those that allow, or denies too much")
	}
	SecondOpinion(t, cases)
}

// The second opinion is one: it is asked, and it contradicts.
func TestSecondOpinion(t *testing.T) {
	t.Parallel()
	tool(t, "iam-simulate", nodeFolder)
	document := []byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}]}`)
	role := "arn:aws:iam::123456789012:role/x"
	for what, c := range map[string]Case{
		"denied":           {Document: document, Request: Request{Action: "iam:DeleteRole", Resource: role}, Allowed: true},
		"allowed":          {Document: document, Request: Request{Action: "iam:GetRole", Resource: role}},
		"unknown action":   {Document: document, Request: Request{Action: "iam:GetRule", Resource: role}},
		"unknown resource": {Document: document, Request: Request{Action: "iam:GetRole", Resource: "arn:aws:s3:::b"}},
		"unknown key":      {Document: document, Request: Request{Action: "iam:GetRole", Resource: role}.With("iam:Nothing", "x"), Allowed: true},
		"stopped by a boundary": {
			Document: document, Request: Request{Action: "iam:GetRole", Resource: role}, Allowed: true,
			Boundary: []byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}`),
		},
	} {
		deaf := &deafTB{TB: t}
		SecondOpinion(deaf, []Case{c})
		if deaf.errors != 1 {
			t.Errorf("%s: nothing was found to say", what)
		}
	}
}

// deafTB counts errors and reports none.
type deafTB struct {
	testing.TB
	errors int
}

// Errorf implements [testing.TB].
func (d *deafTB) Errorf(string, ...any) { d.errors++ }
