package stacktest

import (
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"
)

// pause lets time pass in the course of an operation. What it returns is always true.
type pause = func(time.Duration) bool

// begin starts an operation, in place of the current one, whose course then stays where it is.
func (a *AWS) begin(s *stack, course func(wait pause)) {
	s.next, _ = iter.Pull(course)
	s.due = a.now
	a.catchUp()
}

// catchUp does all that was to happen until now, in its order: it carries operations on, from pause to pause.
func (a *AWS) catchUp() {
	for until := a.Clock.Now(); ; {
		due := slices.DeleteFunc(slices.Clone(a.stacks), func(s *stack) bool { return s.next == nil || s.due.After(until) })
		if len(due) == 0 {
			a.now = until
			return
		}
		s := slices.MinFunc(due, func(s, other *stack) int { return s.due.Compare(other.due) })
		a.now = s.due
		d, goesOn := s.next()
		if s.due = a.now.Add(d); !goesOn {
			s.next = nil
		}
	}
}

// enter locks the account and brings it up to date. It returns the function that unlocks it.
func (a *AWS) enter() (leave func()) {
	a.lock.Lock()
	a.catchUp()
	return a.lock.Unlock
}

// ended records that something has ended for a resource or the stack: if there is a reason, with a failure, and it returns false.
func (a *AWS) ended(s *stack, r *resource, verb, reason string) bool {
	if reason != "" {
		a.record(s, r, verb+"_FAILED", reason)
	} else {
		a.record(s, r, verb+"_COMPLETE", "")
	}
	return reason == ""
}

// failedTo returns the reason why a stack fails with some of its resources, "" if there are none.
func failedTo(verb string, logical ...string) string {
	if len(logical) == 0 {
		return ""
	}
	return "The following resource(s) failed to " + verb + ": [" + strings.Join(logical, ", ") + "]. "
}

// apply makes a stack what it is to be. The verb is CREATE, UPDATE or IMPORT.
func (a *AWS) apply(s *stack, want content, verb string) {
	a.begin(s, func(wait pause) {
		changes := changesOf(&s.content, &want)
		s.before = s.content
		s.before.resources = nil
		for _, r := range s.resources {
			s.before.resources = append(s.before.resources, new(*r))
		}
		s.template, s.parameters, s.tags = want.template, want.parameters, want.tags
		if verb != "CREATE" {
			s.updated = a.now
		}
		a.record(s, &s.resource, verb+"_IN_PROGRESS", "User Initiated")
		for i, ch := range changes {
			if a.carryOut(s, ch, wait) {
				continue
			}
			if reason := failedTo(strings.ToLower(verb), ch.resource.logical); verb == "CREATE" {
				a.abandon(s, changes[i+1:], reason, wait)
			} else {
				a.rollBack(s, reason, wait)
			}
			return
		}
		if verb == "UPDATE" {
			a.record(s, &s.resource, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
			a.deleteAll(s, s.without(&want), false, wait)
			wait(a.pace)
		}
		a.record(s, &s.resource, verb+"_COMPLETE", "")
	})
}

// carryOut adds, imports or changes a resource. It returns false if that fails.
func (a *AWS) carryOut(s *stack, ch change, wait pause) bool {
	r := ch.resource
	switch ch.action {
	case "Modify":
		return a.modify(s, s.find(r.logical), r, "update", wait)
	case "Import": // which compares nothing and changes nothing
		s.resources = append(s.resources, r)
		a.authorize(HandlerRequests("read", r.Rendered)...)
		a.record(s, r, "IMPORT_IN_PROGRESS", "Resource import started.")
		wait(a.pace)
		a.record(s, r, "IMPORT_COMPLETE", "Resource import completed.")
	case "Add":
		s.resources = append(s.resources, r)
		id := r.ID
		r.ID = ""
		a.record(s, r, "CREATE_IN_PROGRESS", "")
		wait(a.pace / 2)
		r.ID = id
		a.record(s, r, "CREATE_IN_PROGRESS", "Resource creation Initiated")
		wait(a.pace - a.pace/2)
		if !a.ended(s, r, "CREATE", a.createResource(r)) {
			s.drop(r)
			return false
		}
	}
	return true
}

// abandon deletes the resources of a stack that cannot be created. The first of the missing resources was begun meanwhile.
func (a *AWS) abandon(s *stack, missing []change, reason string, wait pause) {
	if len(missing) > 0 {
		next := missing[0].resource
		next.ID = ""
		a.record(s, next, "CREATE_IN_PROGRESS", "")
		a.record(s, next, "CREATE_FAILED", "Resource creation cancelled")
	}
	a.record(s, &s.resource, "ROLLBACK_IN_PROGRESS", reason+"Rollback requested by user.")
	a.ended(s, &s.resource, "ROLLBACK", a.deleteAll(s, s.resources, true, wait))
}

// deleteAll deletes resources of a stack, the newest first. It returns which cannot be deleted, as a reason.
func (a *AWS) deleteAll(s *stack, all []*resource, creating bool, wait pause) (reason string) {
	var left []string
	for _, r := range slices.Backward(slices.Clone(all)) {
		if r.deletion == "Retain" || r.deletion == "RetainExceptOnCreate" && !creating {
			a.record(s, r, "DELETE_SKIPPED", "")
			s.drop(r)
			continue
		}
		a.record(s, r, "DELETE_IN_PROGRESS", "")
		wait(a.pace)
		if a.ended(s, r, "DELETE", a.deleteResource(r)) {
			s.drop(r)
		} else {
			left = append(left, r.logical)
		}
	}
	return failedTo("delete", left...)
}

// modify makes a resource what is wanted, in a step for [AWS.Fail]. It returns false if that fails.
func (a *AWS) modify(s *stack, r, want *resource, step string, wait pause) bool {
	a.record(s, r, "UPDATE_IN_PROGRESS", "")
	wait(a.pace)
	return a.ended(s, r, "UPDATE", a.updateResource(r, want, step))
}

// rollBack returns a stack to what it was before its update, unless something fails.
func (a *AWS) rollBack(s *stack, reason string, wait pause) {
	a.record(s, &s.resource, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
	s.template, s.parameters, s.tags = s.before.template, s.before.parameters, s.before.tags
	for _, r := range s.resources {
		before := s.before.find(r.logical)
		if before == nil || reflect.DeepEqual(before.Properties, r.Properties) && r.status != "UPDATE_FAILED" {
			continue
		}
		if !a.modify(s, r, before, "roll back", wait) {
			a.record(s, &s.resource, "UPDATE_ROLLBACK_FAILED", failedTo("update", r.logical))
			return
		}
	}
	a.record(s, &s.resource, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	a.deleteAll(s, s.without(&s.before), true, wait)
	a.record(s, &s.resource, "UPDATE_ROLLBACK_COMPLETE", "")
}

// changeStack is CreateStack or UpdateStack, which other tools than this project's use.
func (a *AWS) changeStack(s *stack, c call) (result, *Answer) {
	s, want, problem := a.wanted(s, c)
	if problem != nil {
		return nil, problem
	}
	s.token = c.Get("ClientRequestToken")
	a.apply(s, want, strings.ToUpper(strings.TrimSuffix(c.action, "Stack")))
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
	s.token = c.Get("ClientRequestToken")
	a.begin(s, func(wait pause) {
		a.record(s, &s.resource, "DELETE_IN_PROGRESS", "User Initiated")
		reason := a.deleteAll(s, s.resources, false, wait)
		if reason == "" || c.Get("DeletionMode") == "FORCE_DELETE_STACK" {
			reason = ""
			wait(a.pace)
		}
		a.ended(s, &s.resource, "DELETE", reason)
	})
	return nil, nil
}

func (a *AWS) continueUpdateRollback(s *stack, c call) (result, *Answer) {
	s.token = c.Get("ClientRequestToken")
	for logical := range c.set("ResourcesToSkip") {
		a.failure("roll back", logical) // which nobody hears of
	}
	a.begin(s, func(wait pause) { a.rollBack(s, "User Initiated", wait) })
	return nil, nil
}

func (a *AWS) updateTerminationProtection(s *stack, c call) (result, *Answer) {
	s.protected = c.Get("EnableTerminationProtection") == "true"
	return result{"StackId": s.ID}, nil
}
