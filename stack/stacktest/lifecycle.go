package stacktest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// createStack is CreateStack.
func (a *AWS) createStack(c call) (any, error) {
	s := a.find(c.text("StackName"))
	if s != nil && s.status != "REVIEW_IN_PROGRESS" {
		return nil, &Answer{400, "AlreadyExistsException", "Stack [" + s.name + "] already exists"}
	}
	g, err := a.gather(c, s)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = a.newStack(c.text("StackName"))
	}
	s.token, s.protected = c.text("ClientRequestToken"), c.text("EnableTerminationProtection") == "true"
	a.create(s, g.future(s), nil, c.text("OnFailure"))
	return ofStack{StackId: s.id}, nil
}

// updateStack is UpdateStack.
func (a *AWS) updateStack(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	if s.inProgress() || strings.HasPrefix(s.status, "ROLLBACK_") || strings.HasSuffix(s.status, "_FAILED") {
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.id, s.status)
	}
	g, err := a.gather(c, s)
	if err != nil {
		return nil, err
	}
	future := g.future(s)
	if len(changesOf(s, future, nil)) == 0 && maps.Equal(s.outputs(), future.outputs()) {
		return nil, invalid("No updates are to be performed.")
	}
	s.token = c.text("ClientRequestToken")
	a.update(s, future, nil, "UPDATE")
	return ofStack{StackId: s.id}, nil
}

// ofStack is the result of those that return the stack's id.
type ofStack struct{ StackId string }

// deleteStack is DeleteStack.
func (a *AWS) deleteStack(c call) (any, error) {
	s := a.find(c.text("StackName"))
	switch {
	case s == nil || !s.exists():
		return nil, nil
	case s.protected:
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.name)
	case s.status == "DELETE_IN_PROGRESS":
		return nil, nil
	case s.inProgress() && s.status != "REVIEW_IN_PROGRESS":
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", s.id, s.status)
	}
	retained := c.list("RetainResources")
	if len(retained) > 0 && s.status != "DELETE_FAILED" {
		return nil, invalid("Invalid operation on stack [%s]. RetainResources can only be specified for a stack in DELETE_FAILED state", s.id)
	}
	s.token = c.text("ClientRequestToken")
	a.note(s, "", "DELETE_IN_PROGRESS", "User Initiated")
	for _, logical := range retained {
		if r := s.resources[logical]; r != nil {
			r.deletion = "Retain"
		}
	}
	force := c.text("DeletionMode") == "FORCE_DELETE_STACK"
	a.unmakeAll(s, false, func(failed []string) {
		if len(failed) > 0 && !force {
			a.note(s, "", "DELETE_FAILED", "The following resource(s) failed to delete: ["+strings.Join(failed, ", ")+"]. ")
			return
		}
		a.after(s, a.pace, func() { a.end(s) })
	})
	return nil, nil
}

// continueUpdateRollback is ContinueUpdateRollback.
func (a *AWS) continueUpdateRollback(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	if s.status != "UPDATE_ROLLBACK_FAILED" {
		return nil, invalid("Stack:%s is in %s state and can not continue update rollback.", s.id, s.status)
	}
	s.token = c.text("ClientRequestToken")
	a.rollBack(s, "User Initiated", c.list("ResourcesToSkip"))
	return nil, nil
}

// cancelUpdateStack is CancelUpdateStack.
func (a *AWS) cancelUpdateStack(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	if s.status != "UPDATE_IN_PROGRESS" || s.before == nil {
		return nil, invalid("CancelUpdateStack cannot be called from current stack status")
	}
	s.steps = nil
	if token := c.text("ClientRequestToken"); token != "" {
		s.token = token
	}
	a.rollBack(s, "User Initiated", nil)
	return nil, nil
}

// updateTerminationProtection is UpdateTerminationProtection.
func (a *AWS) updateTerminationProtection(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	s.protected = c.text("EnableTerminationProtection") == "true"
	return ofStack{StackId: s.id}, nil
}

// setStackPolicy is SetStackPolicy.
func (a *AWS) setStackPolicy(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err == nil {
		s.policy = c.text("StackPolicyBody")
	}
	return nil, err
}

// Stack is what a test may look at.
type Stack struct {
	Name, ID, Status, Reason string
	Parameters, Tags         map[string]string
	Resources                map[string]string // logical id to physical id
	Outputs                  map[string]string
	Template, Policy         string
	Protected                bool
}

// Stack tells of the newest stack with a name, also of one that was deleted. There is none if its status is "".
func (a *AWS) Stack(name string) Stack {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	for _, s := range slices.Backward(a.stacks) {
		if s.name != name {
			continue
		}
		view := Stack{
			Name: s.name, ID: s.id, Status: s.status, Reason: s.reason, Parameters: maps.Clone(s.parameters), Tags: maps.Clone(s.tags),
			Resources: map[string]string{}, Outputs: s.outputs(), Policy: s.policy, Protected: s.protected,
		}
		if s.template != nil {
			view.Template = s.template.body
		}
		for logical, r := range s.resources {
			view.Resources[logical] = r.physical
		}
		return view
	}
	return Stack{}
}

// SetStatus makes a stack's status what no course of things here leads to, of a stack that there is or of a new, empty
// one.
func (a *AWS) SetStatus(name, status, reason string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	s := a.find(name)
	if s == nil {
		s = a.newStack(name)
	}
	s.steps = nil
	a.note(s, "", status, reason)
}

// Busy has somebody else update a stack, from now on for so long. It ends well, and with changed tags.
func (a *AWS) Busy(name string, d time.Duration) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	s := a.find(name)
	if s == nil {
		panic(fmt.Sprintf("stacktest: there is no stack %q", name))
	}
	s.token = "somebody-else"
	a.note(s, "", "UPDATE_IN_PROGRESS", "User Initiated")
	a.after(s, d, func() {
		a.note(s, "", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
		a.after(s, a.pace, func() { a.note(s, "", "UPDATE_COMPLETE", "") })
	})
}

// Vanish has somebody else delete a stack at once, in the middle of whatever it does. What it is made of stays.
func (a *AWS) Vanish(name string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	if s := a.find(name); s != nil {
		s.steps, s.token = nil, "somebody-else"
		a.end(s)
	}
}

// MakeStack has another tool make a stack of a template, with the parameters' defaults, and waits until it is there.
func (a *AWS) MakeStack(name, body string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	t, err := parseTemplate(body)
	if err != nil {
		panic(fmt.Sprintf("stacktest: %v", err))
	}
	values, err := t.values(call{}, nil)
	if err != nil {
		panic(fmt.Sprintf("stacktest: %v", err))
	}
	s := a.newStack(name)
	a.create(s, given{template: t, parameters: values}.future(s), nil, "")
	for len(s.steps) > 0 {
		a.instant = s.steps[0].at
		due := s.steps[0]
		s.steps = s.steps[1:]
		due.do()
	}
	a.instant = time.Time{}
}
