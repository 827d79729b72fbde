package stacktest

import (
	"strings"
	"time"
)

// changeStack is CreateStack or UpdateStack, which other tools than this project's use.
func (a *AWS) changeStack(s *stack, c call) (result, *Answer) {
	s, want, problem := a.wanted(s, c)
	if problem != nil {
		return nil, problem
	}
	s.token = c.text("ClientRequestToken")
	a.apply(s, want, nil, strings.ToUpper(strings.TrimSuffix(c.action, "Stack")))
	return result{"StackId": s.ID}, nil
}

func (a *AWS) deleteStack(s *stack, c call) (result, *Answer) {
	switch {
	case s == nil || !s.exists() || s.status == "DELETE_IN_PROGRESS":
		return nil, nil
	case s.protected:
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.logical)
	}
	for logical := range c.set("RetainResources") {
		if r := s.find(logical); r != nil {
			r.deletion = "Retain"
		}
	}
	s.token = c.text("ClientRequestToken")
	a.begin(s, func(wait pause) {
		a.record(s, &s.resource, "DELETE_IN_PROGRESS", "User Initiated")
		if left := a.deleteAll(s, s.resources, false, wait); len(left) > 0 && c.text("DeletionMode") != "FORCE_DELETE_STACK" {
			a.record(s, &s.resource, "DELETE_FAILED", failedTo("delete", left...))
			return
		}
		wait(a.pace)
		a.record(s, &s.resource, "DELETE_COMPLETE", "")
	})
	return nil, nil
}

func (a *AWS) continueUpdateRollback(s *stack, c call) (result, *Answer) {
	s.token = c.text("ClientRequestToken")
	a.begin(s, func(wait pause) { a.rollBack(s, "User Initiated", c.set("ResourcesToSkip"), wait) })
	return nil, nil
}

func (a *AWS) updateTerminationProtection(s *stack, c call) (result, *Answer) {
	s.protected = c.text("EnableTerminationProtection") == "true"
	return result{"StackId": s.ID}, nil
}

// SetStatus sets a stack's status, as somebody else would in the middle of whatever happens to it, and creates an empty stack
// if there is none with that name. The status DELETE_COMPLETE deletes the stack and leaves its resources.
func (a *AWS) SetStatus(name, status string) {
	defer a.enter()()
	s := a.find(name)
	if s == nil {
		s = a.newStack(name)
		a.stacks = append(a.stacks, s)
	}
	s.next = nil
	s.token = "somebody-else"
	a.record(s, &s.resource, status, "")
}

// Busy updates a stack for so long, as somebody else would. The update succeeds.
func (a *AWS) Busy(name string, d time.Duration) {
	defer a.enter()()
	s := a.find(name)
	s.token = "somebody-else"
	a.begin(s, func(wait pause) {
		a.record(s, &s.resource, "UPDATE_IN_PROGRESS", "User Initiated")
		wait(d)
		a.record(s, &s.resource, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
		wait(a.pace)
		a.record(s, &s.resource, "UPDATE_COMPLETE", "")
	})
}
