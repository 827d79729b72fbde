package stacktest

import (
	"bufio"
	_ "embed" // for the files in simulate
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

//go:embed simulate/package-lock.json
var nodePackages []byte

//go:embed simulate/simulate.mjs
var simulatorProgram string

// simulator is the process of @cloud-copilot/iam-simulate, which evaluates policies and knows the actions, resources and
// condition keys of every service. One serves all tests of a process, and ends with it.
var simulator struct {
	lock    sync.Mutex
	in      io.WriteCloser
	out     *bufio.Reader
	answers map[string]string // by the question
}

// simulate returns the simulator's answer: Allowed, ImplicitlyDenied, ExplicitlyDenied, or what is wrong with the question.
func simulate(t testing.TB, folder string, p Policy, q Request) string {
	t.Helper()
	policy, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	context := q.Context
	if context == nil {
		context = map[string][]string{}
	}
	question, err := json.Marshal(map[string]any{
		"policy": json.RawMessage(policy), "action": q.Action, "resource": q.Resource, "account": Account, "context": context,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &simulator
	s.lock.Lock()
	defer s.lock.Unlock()
	if answer, ok := s.answers[string(question)]; ok {
		return answer
	}
	if s.in == nil {
		command := exec.Command("node", "--input-type=module", "--eval", simulatorProgram)
		command.Dir = folder
		in, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		s.in, s.out, s.answers = in, bufio.NewReader(out), map[string]string{}
	}
	if _, err := s.in.Write(append(question, '\n')); err != nil {
		t.Fatalf("the simulator of policies: %v", err)
	}
	answer, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the simulator of policies: %v: %s", err, question)
	}
	s.answers[string(question)] = strings.TrimSpace(answer)
	return s.answers[string(question)]
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
	return folder, nil
}
