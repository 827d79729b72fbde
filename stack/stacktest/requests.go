package stacktest

import (
	"maps"
	"time"
)

// createStack is CreateStack, which other tools than this project's use.
func (a *AWS) createStack(c call) (result, error) {
	s := a.newStack(c.text("StackName"))
	want, err := a.wanted(c, s)
	if err == nil {
		a.create(s, want, nil)
	}
	return result{"StackId": s.id}, err
}

// updateStack is UpdateStack, which other tools than this project's use.
func (a *AWS) updateStack(s *stack, c call) (result, error) {
	want, err := a.wanted(c, s)
	if err == nil {
		s.token = c.text("ClientRequestToken")
		a.update(s, want, nil, "UPDATE")
	}
	return result{"StackId": s.id}, err
}

// deleteStack is DeleteStack.
func (a *AWS) deleteStack(c call) (result, error) {
	s := a.find(c.text("StackName"))
	switch {
	case s == nil || !s.exists() || s.status == "DELETE_IN_PROGRESS":
		return nil, nil
	case s.protected:
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.name)
	}
	for _, logical := range c.list("RetainResources") {
		if r := s.resource(logical); r != nil {
			r.deletion = "Retain"
		}
	}
	s.token = c.text("ClientRequestToken")
	a.begin(s, func(wait pause) {
		a.record(s, nil, "DELETE_IN_PROGRESS", "User Initiated")
		if left := a.deleteAll(s, false, wait); len(left) > 0 && c.text("DeletionMode") != "FORCE_DELETE_STACK" {
			a.record(s, nil, "DELETE_FAILED", failedTo("delete", left...))
			return
		}
		wait(a.pace)
		a.end(s)
	})
	return nil, nil
}

// continueUpdateRollback is ContinueUpdateRollback.
func (a *AWS) continueUpdateRollback(s *stack, c call) (result, error) {
	s.token = c.text("ClientRequestToken")
	a.begin(s, func(wait pause) { a.rollBack(s, "User Initiated", c.list("ResourcesToSkip"), wait) })
	return nil, nil
}

// updateTerminationProtection is UpdateTerminationProtection.
func (a *AWS) updateTerminationProtection(s *stack, c call) (result, error) {
	s.protected = c.text("EnableTerminationProtection") == "true"
	return result{"StackId": s.id}, nil
}

// Stack is what tests can read of a stack.
type Stack struct {
	Name, ID, Status, Reason string
	Parameters, Tags         map[string]string
	Resources                map[string]string // logical id to physical id
	Outputs                  map[string]string
	Template                 string
	Protected                bool
}

// Stack returns the newest stack with a name, even if it is deleted. If there is none, Status is "".
func (a *AWS) Stack(name string) (view Stack) {
	defer a.enter()()
	for _, s := range a.stacks {
		if s.name != name {
			continue
		}
		view = Stack{
			Name: s.name, ID: s.id, Status: s.status, Reason: s.reason, Parameters: maps.Clone(s.parameters), Tags: maps.Clone(s.tags),
			Resources: map[string]string{}, Outputs: s.outputs(&s.content), Protected: s.protected,
		}
		if s.template != nil {
			view.Template = s.template.body
		}
		for _, r := range s.resources {
			view.Resources[r.logical] = r.ID
		}
	}
	return view
}

// SetStatus sets a stack's status, and creates an empty stack if there is none with that name. It is for states that no
// operation here leads to.
func (a *AWS) SetStatus(name, status, reason string) {
	defer a.enter()()
	s := a.find(name)
	if s == nil {
		s = a.newStack(name)
	}
	s.halt()
	a.record(s, nil, status, reason)
}

// Busy updates a stack for so long, as somebody else would. The update succeeds.
func (a *AWS) Busy(name string, d time.Duration) {
	defer a.enter()()
	s := a.find(name)
	s.token = "somebody-else"
	a.begin(s, func(wait pause) {
		a.record(s, nil, "UPDATE_IN_PROGRESS", "User Initiated")
		wait(d)
		a.record(s, nil, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
		wait(a.pace)
		a.record(s, nil, "UPDATE_COMPLETE", "")
	})
}

// Vanish deletes a stack at once, as somebody else would, in the middle of whatever happens to it. Its resources stay.
func (a *AWS) Vanish(name string) {
	defer a.enter()()
	if s := a.find(name); s != nil {
		s.halt()
		s.token = "somebody-else"
		a.end(s)
	}
}
