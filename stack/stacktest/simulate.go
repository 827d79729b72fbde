package stacktest

import (
	"bytes"
	_ "embed" // for the files in simulate
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed simulate/package-lock.json
var nodePackages []byte

//go:embed simulate/simulate.mjs
var simulator string

// Case is a question to an evaluator of policies, and what this package's own answers.
type Case struct {
	Policy   string // its name, for messages
	Document any    // of the policy, as JSON has it: a text, or what [Render] gives
	Boundary any    // of permissions, likewise; nil for none
	Request  Request
	Allowed  bool
}

// question is a case as the simulator reads it.
type question struct {
	Policies []json.RawMessage   `json:"policies"`
	Boundary json.RawMessage     `json:"boundary,omitempty"`
	Action   string              `json:"action"`
	Resource string              `json:"resource"`
	Account  string              `json:"account"`
	Context  map[string][]string `json:"context"`
}

// SecondOpinion fails a test where @cloud-copilot/iam-simulate, which also knows the actions, resources and condition keys of
// every service, does not come to the same answers. All cases are evaluated by one process: give it many at once. Where it
// is not installed the test is skipped, or fails if ZAE_LIMITER_TEST_REQUIRE has iam-simulate in it.
func SecondOpinion(t testing.TB, cases []Case) {
	t.Helper()
	folder := tool(t, "iam-simulate", nodeFolder)
	var questions []question
	for _, c := range cases {
		q := question{
			Policies: []json.RawMessage{document(t, c.Document)}, Action: c.Request.Action, Resource: c.Request.Resource,
			Account: Account, Context: c.Request.Context,
		}
		if q.Context == nil {
			q.Context = map[string][]string{}
		}
		if c.Boundary != nil {
			q.Boundary = document(t, c.Boundary)
		}
		questions = append(questions, q)
	}
	text, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	var out, complaint bytes.Buffer
	command := exec.Command("node", "--input-type=module", "--eval", simulator)
	command.Dir, command.Stdin, command.Stdout, command.Stderr = folder, bytes.NewReader(text), &out, &complaint
	if err := command.Run(); err != nil {
		t.Fatalf("the simulator of policies: %v\n%s", err, complaint.String())
	}
	var answers []string
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("%d answers to %d questions, %v", len(answers), len(cases), err)
	}
	for i, c := range cases {
		if (answers[i] == "Allowed") != c.Allowed || answers[i] != "Allowed" && answers[i] != "ImplicitlyDenied" {
			t.Errorf("%s: allowed by stacktest: %v; by iam-simulate: %s: %v", c.Policy, c.Allowed, answers[i], c.Request)
		}
	}
}

func document(t testing.TB, of any) json.RawMessage {
	t.Helper()
	if text, ok := of.([]byte); ok {
		return text
	}
	text, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// nodeFolder finds what .ci/node.sh installs.
func nodeFolder() (string, error) {
	folder, err := installedFor("node", nodePackages, errNoNode)
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("node"); err != nil {
		return "", errNoNode
	}
	_, err = os.Stat(filepath.Join(folder, "node_modules"))
	return folder, err
}
