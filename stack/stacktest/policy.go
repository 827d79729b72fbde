package stacktest

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
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
	for k, v := range q.Context {
		all[k] = v
	}
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
	Sid, Effect      string
	Action, Resource texted
	Condition        map[string]map[string]texted // operator, key, values
}

// texted is one text or a list of them.
type texted []string

// UnmarshalJSON implements [json.Unmarshaler].
func (l *texted) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = texted{one}
		return nil
	}
	var list []string
	err := json.Unmarshal(text, &list)
	*l = list
	return err
}

// ParsePolicy reads a policy document as JSON has it: a text, or what [Render] gives. It fails the test if the document has
// something that [Policy.Allows] does not know.
func ParsePolicy(t testing.TB, document any) (p Policy) {
	t.Helper()
	text, isText := document.([]byte)
	var err error
	if !isText {
		text, err = json.Marshal(document)
	}
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(&p)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action) == 0 || len(s.Resource) == 0 {
			t.Fatalf("%+v is no statement of an identity's policy", s)
		}
		for operator := range s.Condition {
			if operators[operator] == nil {
				t.Fatalf("%s: the evaluator does not know %s", s.Sid, operator)
			}
		}
	}
	return p
}

// Allows evaluates as IAM does: a statement that denies beats all that allow.
func (p Policy) Allows(q Request) bool {
	allowed := false
	for _, s := range p.Statement {
		if s.matches(q) {
			if s.Effect == "Deny" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

func (s Statement) matches(q Request) bool {
	action := func(pattern string) bool { return like(strings.ToLower(pattern), strings.ToLower(q.Action)) }
	resource := func(pattern string) bool {
		pattern, ok := q.expand(pattern)
		return ok && like(pattern, q.Resource)
	}
	if !slices.ContainsFunc(s.Action, action) || !slices.ContainsFunc(s.Resource, resource) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, patterns := range keys {
			if !operators[operator](q, key, patterns) {
				return false
			}
		}
	}
	return true
}

// operators tell whether a condition holds.
var operators = map[string]func(q Request, key string, patterns []string) bool{
	"Null": func(q Request, key string, patterns []string) bool {
		return slices.Contains(patterns, fmt.Sprint(len(q.Context[key]) == 0))
	},
	"StringEquals": func(q Request, key string, patterns []string) bool {
		return len(q.Context[key]) == 1 && slices.Contains(patterns, q.Context[key][0])
	},
	"StringLike": anyLike,
	"ArnLike":    anyLike,
	// For all of nothing anything is true.
	"ForAllValues:StringLike": func(q Request, key string, patterns []string) bool {
		return !slices.ContainsFunc(q.Context[key], func(value string) bool { return !q.isLike(value, patterns) })
	},
	"ForAllValues:StringNotLike": func(q Request, key string, patterns []string) bool {
		return !slices.ContainsFunc(q.Context[key], func(value string) bool { return q.isLike(value, patterns) })
	},
}

func anyLike(q Request, key string, patterns []string) bool {
	return len(q.Context[key]) == 1 && q.isLike(q.Context[key][0], patterns)
}

func (q Request) isLike(value string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern, ok := q.expand(pattern)
		return ok && like(pattern, value)
	})
}

var variable = regexp.MustCompile(`\$\{([^}]+)\}`)

// expand puts the request's values for variables; a pattern with a variable that has no value matches nothing.
func (q Request) expand(pattern string) (expanded string, ok bool) {
	ok = true
	return variable.ReplaceAllStringFunc(pattern, func(name string) string {
		values := q.Context[name[2:len(name)-1]]
		if len(values) != 1 {
			ok = false
			return ""
		}
		return values[0]
	}), ok
}

var hide = strings.NewReplacer("/", "\x00", "[", "\x01", `\`, "\x02") // which path.Match has other ideas of

// like is IAM's StringLike, with * for any text and ? for any character.
func like(pattern, text string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return pattern == text
	}
	ok, err := path.Match(hide.Replace(pattern), hide.Replace(text))
	return err == nil && ok
}
