package stacktest

import (
	"bufio"
	"bytes"
	_ "embed" // for the files in simulate
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
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

// ParsePolicy reads a policy document, JSON or what [Render] returns. It fails the test if the document has more than [Policy] has.
func ParsePolicy(t testing.TB, document any) (p Policy) {
	t.Helper()
	if text, isJSON := document.([]byte); isJSON {
		document = json.RawMessage(text)
	}
	encoded, err := json.Marshal(document)
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
// the action, the resource or a condition key. It needs npm's @cloud-copilot/iam-simulate.
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

//go:embed simulate/package-lock.json
var nodePackages string

//go:embed simulate/simulate.mjs
var simulatorProgram string

// simulator is the process of @cloud-copilot/iam-simulate, which evaluates policies for all tests of a process, and ends with it.
var simulator struct {
	lock    sync.Mutex
	in      io.Writer
	out     *bufio.Reader
	answers map[string]string // by the question
}

// simulate returns the simulator's answer: Allowed, ImplicitlyDenied, ExplicitlyDenied, or what is wrong with the question.
func simulate(folder string, p Policy, q Request) (string, error) {
	asked := map[string]any{"policy": p, "action": q.Action, "resource": q.Resource, "account": Account, "context": q.Context}
	question, err := json.Marshal(asked)
	s := &simulator
	s.lock.Lock()
	defer s.lock.Unlock()
	if answer, ok := s.answers[string(question)]; ok {
		return answer, nil
	}
	if err == nil && s.answers == nil {
		command := exec.Command("node", "--input-type=module", "--eval", simulatorProgram)
		command.Dir = folder
		s.in, s.out, err = start(command)
		s.answers = map[string]string{}
	}
	if err != nil {
		return "", err
	}
	_, _ = s.in.Write(append(question, '\n')) // if that fails, there is no answer
	answer, err := s.out.ReadString('\n')
	if err != nil {
		return "", err
	}
	s.answers[string(question)] = strings.TrimSpace(answer)
	return s.answers[string(question)], nil
}
