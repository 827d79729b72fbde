package stacktest

import (
	"bufio"
	_ "embed" // for the files in simulate
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync"
)

//go:embed simulate/package-lock.json
var nodePackages string

//go:embed simulate/simulate.mjs
var simulatorProgram string

// simulator is the process of @cloud-copilot/iam-simulate, which evaluates policies and knows the actions, resources and
// condition keys of every service. One serves all tests of a process, and ends with it.
var simulator struct {
	lock    sync.Mutex
	in      io.Writer
	out     *bufio.Reader
	answers map[string]string // by the question
}

// simulate returns the simulator's answer: Allowed, ImplicitlyDenied, ExplicitlyDenied, or what is wrong with the question.
func simulate(folder string, p Policy, q Request) (string, error) {
	question, err := json.Marshal(map[string]any{"policy": p, "action": q.Action, "resource": q.Resource, "account": Account, "context": q.Context})
	if err != nil {
		return "", err
	}
	s := &simulator
	s.lock.Lock()
	defer s.lock.Unlock()
	if answer, ok := s.answers[string(question)]; ok {
		return answer, nil
	}
	if s.answers == nil {
		command := exec.Command("node", "--input-type=module", "--eval", simulatorProgram)
		command.Dir = folder
		if s.in, s.out, err = start(command); err != nil {
			return "", err
		}
		s.answers = map[string]string{}
	}
	if _, err := s.in.Write(append(question, '\n')); err != nil {
		return "", err
	}
	answer, err := s.out.ReadString('\n')
	if err == nil {
		s.answers[string(question)] = strings.TrimSpace(answer)
	}
	return strings.TrimSpace(answer), err
}
