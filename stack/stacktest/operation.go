package stacktest

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"
)

// operation is what CloudFormation does to a stack over a time: a course of steps with pauses between them.
type operation struct {
	next func() (time.Duration, bool) // goes on to the next pause; nil if there is no operation
	stop func()
	due  time.Time // the end of the current pause
}

// pause lets time pass in the course of an operation.
type pause func(time.Duration)

// stopped unwinds the course of an operation that is not carried on.
type stopped struct{}

// begin starts an operation, in place of the current one, and carries it out to its first pause.
func (a *AWS) begin(s *stack, course func(wait pause)) {
	s.halt()
	s.next, s.stop = iter.Pull(func(yield func(time.Duration) bool) {
		defer func() {
			if r := recover(); r != nil && r != any(stopped{}) {
				panic(r)
			}
		}()
		course(func(d time.Duration) {
			if !yield(d) {
				panic(stopped{})
			}
		})
	})
	s.advance(a.now())
}

// advance carries an operation on until its next pause.
func (s *stack) advance(now time.Time) {
	d, goesOn := s.next()
	if s.due = now.Add(d); !goesOn {
		s.next = nil
	}
}

// halt ends a stack's operation where it is.
func (s *stack) halt() {
	if s.next != nil {
		s.stop()
		s.next = nil
	}
}

// catchUp does all that was to happen until now, in its order.
func (a *AWS) catchUp() {
	defer func() { a.instant = time.Time{} }()
	for until := a.clock(); ; {
		var first *stack
		for _, s := range a.stacks {
			if s.next != nil && !s.due.After(until) && (first == nil || s.due.Before(first.due)) {
				first = s
			}
		}
		if first == nil {
			return
		}
		a.instant = first.due
		first.advance(a.instant)
	}
}

// enter locks the account and brings it up to date. It returns the function that unlocks it.
func (a *AWS) enter() (leave func()) {
	a.lock.Lock()
	a.catchUp()
	return a.lock.Unlock
}

// now returns the account's time; while catching up, that of what happens.
func (a *AWS) now() time.Time {
	if !a.instant.IsZero() {
		return a.instant
	}
	return a.clock()
}

func failedTo(verb string, logical ...string) string {
	return "The following resource(s) failed to " + verb + ": [" + strings.Join(logical, ", ") + "]. "
}

// apply makes a stack what it is to be. The verb is CREATE, UPDATE or IMPORT.
func (a *AWS) apply(s *stack, want content, imported map[string]string, verb string) {
	a.begin(s, func(wait pause) {
		changes := changesOf(&s.content, &want, imported)
		s.before = s.copied()
		s.template, s.parameters, s.tags = want.template, want.parameters, want.tags
		if verb != "CREATE" {
			s.updated = a.now()
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
			for _, ch := range changes {
				if ch.action == "Remove" {
					a.deleteOne(s, ch.resource, false, wait)
				}
			}
			wait(a.pace)
		}
		a.record(s, &s.resource, verb+"_COMPLETE", "")
	})
}

// carryOut adds, imports or changes a resource. It returns false if that fails.
func (a *AWS) carryOut(s *stack, ch change, wait pause) bool {
	r := *ch.resource
	switch ch.action {
	case "Modify":
		return a.modify(s, ch, wait)
	case "Import":
		s.resources = append(s.resources, &r)
		a.authorize(HandlerRequests("read", r.Rendered)...)
		a.claim(&r)
		a.record(s, &r, "IMPORT_IN_PROGRESS", "Resource import started.")
		wait(a.pace)
		a.record(s, &r, "IMPORT_COMPLETE", "Resource import completed.")
	case "Add":
		s.resources = append(s.resources, &r)
		r.ID = ""
		a.record(s, &r, "CREATE_IN_PROGRESS", "")
		wait(a.pace / 2)
		r.ID = ch.resource.ID
		a.record(s, &r, "CREATE_IN_PROGRESS", "Resource creation Initiated")
		wait(a.pace - a.pace/2)
		if reason := a.createResource(&r); reason != "" {
			a.record(s, &r, "CREATE_FAILED", reason)
			s.drop(&r)
			return false
		}
		a.record(s, &r, "CREATE_COMPLETE", "")
	}
	return true
}

// abandon deletes the resources of a stack that cannot be created. Of those that are missing, the next was begun meanwhile.
func (a *AWS) abandon(s *stack, missing []change, reason string, wait pause) {
	if len(missing) > 0 {
		next := *missing[0].resource
		next.ID = ""
		a.record(s, &next, "CREATE_IN_PROGRESS", "")
		a.record(s, &next, "CREATE_FAILED", "Resource creation cancelled")
	}
	a.record(s, &s.resource, "ROLLBACK_IN_PROGRESS", reason+"Rollback requested by user.")
	if left := a.deleteAll(s, true, wait); len(left) > 0 {
		a.record(s, &s.resource, "ROLLBACK_FAILED", failedTo("delete", left...))
	} else {
		a.record(s, &s.resource, "ROLLBACK_COMPLETE", "")
	}
}

// deleteAll deletes all resources of a stack, the newest first, and returns those that cannot be deleted.
func (a *AWS) deleteAll(s *stack, creating bool, wait pause) (left []string) {
	for _, r := range slices.Backward(slices.Clone(s.resources)) {
		if !a.deleteOne(s, r, creating, wait) {
			left = append(left, r.logical)
		}
	}
	return left
}

func (a *AWS) deleteOne(s *stack, r *resource, creating bool, wait pause) bool {
	status := "DELETE_SKIPPED"
	if r.deletion != "Retain" && (r.deletion != "RetainExceptOnCreate" || creating) {
		a.record(s, r, "DELETE_IN_PROGRESS", "")
		wait(a.pace)
		if reason := a.deleteResource(r); reason != "" {
			a.record(s, r, "DELETE_FAILED", reason)
			return false
		}
		status = "DELETE_COMPLETE"
	}
	a.record(s, r, status, "")
	s.drop(r)
	return true
}

// modify changes one resource. It returns false if that fails.
func (a *AWS) modify(s *stack, ch change, wait pause) bool {
	r, reason := s.find(ch.resource.logical), ""
	if ch.replacement == "True" {
		reason = "Requested update requires the creation of a new physical resource; hence creating one."
	}
	a.record(s, r, "UPDATE_IN_PROGRESS", reason)
	wait(a.pace)
	reason = a.failure("update", r.logical)
	if name := r.Properties[nameOf[r.Type]]; ch.replacement == "True" && name != nil && name == ch.resource.Properties[nameOf[r.Type]] {
		reason = fmt.Sprintf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %v and update the stack again.", name)
	}
	if reason != "" {
		a.record(s, r, "UPDATE_FAILED", reason)
		return false
	}
	r.deletion, r.Rendered = ch.resource.deletion, ch.resource.Rendered
	a.authorize(HandlerRequests("update", r.Rendered)...)
	a.updateResource(r)
	a.record(s, r, "UPDATE_COMPLETE", "")
	return true
}

// rollBack returns a stack to what it was before its update, unless something fails that is not skipped.
func (a *AWS) rollBack(s *stack, reason string, skipped map[string]string, wait pause) {
	a.record(s, &s.resource, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
	s.template, s.parameters, s.tags = s.before.template, s.before.parameters, s.before.tags
	for _, r := range s.resources {
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
		*r = *before
		a.updateResource(r)
		a.record(s, r, "UPDATE_COMPLETE", "")
	}
	a.record(s, &s.resource, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	for _, r := range slices.Clone(s.resources) {
		if s.before.find(r.logical) == nil {
			a.deleteOne(s, r, true, wait)
		}
	}
	a.record(s, &s.resource, "UPDATE_ROLLBACK_COMPLETE", "")
}

// end records that a stack is deleted.
func (a *AWS) end(s *stack) {
	a.record(s, &s.resource, "DELETE_COMPLETE", "")
	s.deleted = a.now()
}
