package stacktest

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"
)

// pause lets time pass in the course of an operation.
type pause func(time.Duration)

// begin starts an operation, in place of the current one, and carries it out to its first pause. The course of an operation that
// is not carried on stays where it is.
func (a *AWS) begin(s *stack, course func(wait pause)) {
	s.next, _ = iter.Pull(func(yield func(time.Duration) bool) {
		course(func(d time.Duration) { yield(d) })
	})
	a.advance(s)
}

// advance carries an operation on until its next pause.
func (a *AWS) advance(s *stack) {
	d, goesOn := s.next()
	if s.due = a.now.Add(d); !goesOn {
		s.next = nil
	}
}

// catchUp does all that was to happen until now, in its order.
func (a *AWS) catchUp() {
	for until := a.Clock.Now(); ; {
		var first *stack
		for _, s := range a.stacks {
			if s.next != nil && !s.due.After(until) && (first == nil || s.due.Before(first.due)) {
				first = s
			}
		}
		if first == nil {
			a.now = until
			return
		}
		a.now = first.due
		a.advance(first)
	}
}

// enter locks the account and brings it up to date. It returns the function that unlocks it.
func (a *AWS) enter() (leave func()) {
	a.lock.Lock()
	a.catchUp()
	return a.lock.Unlock
}

func failedTo(verb string, logical ...string) string {
	return "The following resource(s) failed to " + verb + ": [" + strings.Join(logical, ", ") + "]. "
}

// apply makes a stack what it is to be. The verb is CREATE, UPDATE or IMPORT.
func (a *AWS) apply(s *stack, want content, imported map[string]string, verb string) {
	a.begin(s, func(wait pause) {
		changes := changesOf(&s.content, &want, imported)
		s.before = s.content
		s.before.resources = slices.Clone(s.resources)
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
				a.rollBack(s, reason, nil, wait)
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
		return a.modify(s, ch, wait)
	case "Import": // which compares nothing and changes nothing
		s.resources = append(s.resources, r)
		a.authorize(HandlerRequests("read", r.Rendered)...)
		if e := a.existing[r.Type+" "+r.ID]; e != nil {
			e.declared = r.Properties
		}
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
		if reason := a.createResource(r); reason != "" {
			a.record(s, r, "CREATE_FAILED", reason)
			s.drop(r)
			return false
		}
		a.record(s, r, "CREATE_COMPLETE", "")
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
	if left := a.deleteAll(s, s.resources, true, wait); len(left) > 0 {
		a.record(s, &s.resource, "ROLLBACK_FAILED", failedTo("delete", left...))
	} else {
		a.record(s, &s.resource, "ROLLBACK_COMPLETE", "")
	}
}

// deleteAll deletes resources of a stack, the newest first, and returns those that cannot be deleted.
func (a *AWS) deleteAll(s *stack, all []*resource, creating bool, wait pause) (left []string) {
	for _, r := range slices.Backward(slices.Clone(all)) {
		if r.deletion == "Retain" || r.deletion == "RetainExceptOnCreate" && !creating {
			a.record(s, r, "DELETE_SKIPPED", "")
			s.drop(r)
			continue
		}
		a.record(s, r, "DELETE_IN_PROGRESS", "")
		wait(a.pace)
		if reason := a.deleteResource(r); reason != "" {
			a.record(s, r, "DELETE_FAILED", reason)
			left = append(left, r.logical)
			continue
		}
		a.record(s, r, "DELETE_COMPLETE", "")
		s.drop(r)
	}
	return left
}

// modify changes one resource. It returns false if that fails.
func (a *AWS) modify(s *stack, ch change, wait pause) bool {
	r := s.find(ch.resource.logical)
	a.record(s, r, "UPDATE_IN_PROGRESS", "")
	wait(a.pace)
	reason := a.failure("update", r.logical)
	property := kinds[r.Type].name
	if name := r.Properties[property]; ch.replacement == "True" && name != nil && name == ch.resource.Properties[property] {
		reason = fmt.Sprintf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %v and update the stack again.", name)
	}
	if reason != "" {
		a.record(s, r, "UPDATE_FAILED", reason)
		return false
	}
	s.resources[slices.Index(s.resources, r)] = ch.resource
	a.authorize(HandlerRequests("update", ch.resource.Rendered)...)
	a.updateResource(ch.resource)
	a.record(s, ch.resource, "UPDATE_COMPLETE", "")
	return true
}

// rollBack returns a stack to what it was before its update, unless something fails that is not skipped.
func (a *AWS) rollBack(s *stack, reason string, skipped map[string]string, wait pause) {
	a.record(s, &s.resource, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
	s.template, s.parameters, s.tags = s.before.template, s.before.parameters, s.before.tags
	for i, r := range s.resources {
		before := s.before.find(r.logical)
		if before == nil || reflect.DeepEqual(before.Properties, r.Properties) && r.status != "UPDATE_FAILED" {
			continue
		}
		a.record(s, r, "UPDATE_IN_PROGRESS", "")
		wait(a.pace)
		if reason := a.failure("roll back", r.logical); reason != "" && skipped[r.logical] == "" {
			a.record(s, r, "UPDATE_FAILED", reason)
			a.record(s, &s.resource, "UPDATE_ROLLBACK_FAILED", failedTo("update", r.logical))
			return
		}
		s.resources[i] = before
		a.updateResource(before)
		a.record(s, before, "UPDATE_COMPLETE", "")
	}
	a.record(s, &s.resource, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	a.deleteAll(s, s.without(&s.before), true, wait)
	a.record(s, &s.resource, "UPDATE_ROLLBACK_COMPLETE", "")
}
