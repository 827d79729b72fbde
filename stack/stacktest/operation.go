package stacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// catchUp does all that was to happen until now, in its order.
func (a *AWS) catchUp() {
	until := a.clock()
	for {
		var next *stack
		for _, s := range a.stacks {
			if len(s.steps) > 0 && !s.steps[0].at.After(until) && (next == nil || s.steps[0].at.Before(next.steps[0].at)) {
				next = s
			}
		}
		if next == nil {
			a.instant = time.Time{}
			return
		}
		due := next.steps[0]
		next.steps = next.steps[1:]
		a.instant = due.at // what happens, happens then
		due.do()
	}
}

// now is the clock, or, while catching up, the instant of what happens.
func (a *AWS) now() time.Time {
	if !a.instant.IsZero() {
		return a.instant
	}
	return a.clock()
}

func (a *AWS) after(s *stack, d time.Duration, do func()) {
	s.steps = append(s.steps, step{a.now().Add(d), do})
}

// series does one thing for each resource, one behind the other; what it does calls then, or takes another course.
func series(logical []string, one func(logical string, then func()), done func()) {
	if len(logical) == 0 {
		done()
		return
	}
	one(logical[0], func() { series(logical[1:], one, done) })
}

// create brings a stack up.
func (a *AWS) create(s, future *stack, imported map[string]bool, onFailure string) {
	s.template, s.parameters, s.tags = future.template, future.parameters, future.tags
	a.note(s, "", "CREATE_IN_PROGRESS", "User Initiated")
	fail := func(logical string) {
		reason := "The following resource(s) failed to create: [" + logical + "]. "
		switch onFailure {
		case "DO_NOTHING":
			a.note(s, "", "CREATE_FAILED", reason)
		case "DELETE":
			a.note(s, "", "DELETE_IN_PROGRESS", reason+"Delete requested by user.")
			a.unmakeAll(s, true, func([]string) { a.end(s) })
		default:
			a.note(s, "", "ROLLBACK_IN_PROGRESS", reason+"Rollback requested by user.")
			a.unmakeAll(s, true, func(failed []string) {
				if len(failed) > 0 {
					a.note(s, "", "ROLLBACK_FAILED", "The following resource(s) failed to delete: ["+strings.Join(failed, ", ")+"]. ")
					return
				}
				a.note(s, "", "ROLLBACK_COMPLETE", "")
			})
		}
	}
	a.makeAll(s, future, future.order, imported, fail, func() { a.note(s, "", "CREATE_COMPLETE", "") })
}

// makeAll makes resources, as far as none fails.
func (a *AWS) makeAll(s, future *stack, order []string, imported map[string]bool, fail func(string), done func()) {
	series(order, func(logical string, then func()) {
		made := *future.resources[logical]
		r := &made
		r.physical, r.properties = a.renew(s, r)
		if imported[logical] {
			a.authorize(r.requests("read")...)
			a.claim(r)
			s.resources[logical], s.order = r, append(s.order, logical)
			a.note(s, logical, "IMPORT_IN_PROGRESS", "Resource import started.")
			a.after(s, a.pace, func() {
				a.note(s, logical, "IMPORT_COMPLETE", "Resource import completed.")
				then()
			})
			return
		}
		physical := r.physical
		r.physical = ""
		s.resources[logical], s.order = r, append(s.order, logical)
		a.note(s, logical, "CREATE_IN_PROGRESS", "")
		a.after(s, a.pace/2, func() {
			r.physical = physical
			a.note(s, logical, "CREATE_IN_PROGRESS", "Resource creation Initiated")
			a.after(s, a.pace-a.pace/2, func() {
				if reason := a.make(r); reason != "" {
					a.note(s, logical, "CREATE_FAILED", reason)
					delete(s.resources, logical)
					s.order = s.order[:len(s.order)-1]
					a.cancel(s, future, order, logical)
					fail(logical)
					return
				}
				a.note(s, logical, "CREATE_COMPLETE", "")
				then()
			})
		})
	}, done)
}

// cancel tells of the resource behind one that failed, which was begun meanwhile.
func (a *AWS) cancel(s, future *stack, order []string, failed string) {
	if i := slices.Index(order, failed) + 1; i < len(order) {
		r := *future.resources[order[i]]
		r.physical = ""
		s.resources[order[i]] = &r
		a.note(s, order[i], "CREATE_IN_PROGRESS", "")
		a.note(s, order[i], "CREATE_FAILED", "Resource creation cancelled")
		delete(s.resources, order[i])
	}
}

// renew resolves a resource again, now that those exist that it refers to.
func (a *AWS) renew(s *stack, r *resource) (physical, properties string) {
	scope := s.scope()
	resolved, _ := scope.resolve(r.declared.properties).(map[string]any)
	text, _ := json.Marshal(resolved) // maps, slices and scalars
	return physicalOf(scope, r.declared, resolved), string(text)
}

// unmakeAll removes all resources of a stack, the newest first, and tells which could not be.
func (a *AWS) unmakeAll(s *stack, creating bool, done func(failed []string)) {
	var failed []string
	order := slices.Clone(s.order)
	slices.Reverse(order)
	series(order, func(logical string, then func()) {
		a.unmakeOne(s, logical, creating, func(ok bool) {
			if !ok {
				failed = append(failed, logical)
			}
			then()
		})
	}, func() { done(failed) })
}

func (a *AWS) unmakeOne(s *stack, logical string, creating bool, then func(ok bool)) {
	r := s.resources[logical]
	gone := func(status string) {
		a.note(s, logical, status, "")
		delete(s.resources, logical)
		s.order = slices.DeleteFunc(s.order, func(l string) bool { return l == logical })
		then(true)
	}
	if r.deletion == "Retain" || r.deletion == "RetainExceptOnCreate" && !creating {
		gone("DELETE_SKIPPED")
		return
	}
	a.note(s, logical, "DELETE_IN_PROGRESS", "")
	a.after(s, a.pace, func() {
		if reason := a.unmake(r); reason != "" {
			a.note(s, logical, "DELETE_FAILED", reason)
			then(false)
			return
		}
		gone("DELETE_COMPLETE")
	})
}

// update changes a stack.
func (a *AWS) update(s, future *stack, imported map[string]bool, kind string) {
	verb := "UPDATE"
	if kind == "IMPORT" {
		verb = "IMPORT"
	}
	s.before = s.copied()
	changes := changesOf(s, future, imported)
	s.template, s.parameters, s.tags, s.updated = future.template, future.parameters, future.tags, a.now()
	a.note(s, "", verb+"_IN_PROGRESS", "User Initiated")
	var course, removed []string
	changed := map[string]change{}
	for _, ch := range changes {
		changed[ch.logical] = ch
		if ch.action == "Remove" {
			removed = append(removed, ch.logical)
		} else {
			course = append(course, ch.logical)
		}
	}
	fail := func(logical string) {
		a.rollBack(s, "The following resource(s) failed to "+strings.ToLower(verb)+": ["+logical+"]. ", nil)
	}
	series(course, func(logical string, then func()) {
		if changed[logical].action != "Modify" {
			a.makeAll(s, future, []string{logical}, imported, fail, then)
			return
		}
		a.modify(s, future, changed[logical], fail, then)
	}, func() {
		if verb == "IMPORT" {
			a.note(s, "", "IMPORT_COMPLETE", "")
			return
		}
		a.note(s, "", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
		series(removed, func(logical string, then func()) {
			a.unmakeOne(s, logical, false, func(bool) { then() })
		}, func() { a.after(s, a.pace, func() { a.note(s, "", "UPDATE_COMPLETE", "") }) })
	})
}

// modify changes one resource.
func (a *AWS) modify(s, future *stack, ch change, fail func(string), then func()) {
	logical := ch.logical
	reason := ""
	if ch.replacement == "True" {
		reason = "Requested update requires the creation of a new physical resource; hence creating one."
	}
	a.note(s, logical, "UPDATE_IN_PROGRESS", reason)
	a.after(s, a.pace, func() {
		r := s.resources[logical]
		reason := a.failure(a.updates, logical)
		if name := r.values()[named[r.kind]]; ch.replacement == "True" && name != nil && name == future.resources[logical].values()[named[r.kind]] {
			reason = fmt.Sprintf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %v and update the stack again.", name)
		}
		if reason != "" {
			a.note(s, logical, "UPDATE_FAILED", reason)
			fail(logical)
			return
		}
		r.declared = future.resources[logical].declared
		r.physical, r.properties = a.renew(s, r)
		a.authorize(r.requests("update")...)
		a.changed(r)
		a.note(s, logical, "UPDATE_COMPLETE", "")
		then()
	})
}

func (s *stack) copied() *stack {
	c := *s
	c.resources = map[string]*resource{}
	for logical, r := range s.resources {
		copied := *r
		c.resources[logical] = &copied
	}
	c.order, c.tags, c.parameters = slices.Clone(s.order), maps.Clone(s.tags), maps.Clone(s.parameters)
	return &c
}

// rollBack brings a stack back to what it was before its update, as far as nothing fails that is not skipped.
func (a *AWS) rollBack(s *stack, reason string, skipped []string) {
	a.note(s, "", "UPDATE_ROLLBACK_IN_PROGRESS", reason)
	var back, added []string
	for _, logical := range s.order {
		switch before := s.before.resources[logical]; {
		case before == nil:
			added = append(added, logical)
		case !reflect.DeepEqual(before.properties, s.resources[logical].properties) || s.resources[logical].status == "UPDATE_FAILED":
			back = append(back, logical)
		}
	}
	s.template, s.parameters, s.tags = s.before.template, s.before.parameters, s.before.tags
	series(back, func(logical string, then func()) {
		a.note(s, logical, "UPDATE_IN_PROGRESS", "")
		a.after(s, a.pace, func() {
			if reason := a.failure(a.rollbacks, logical); reason != "" && !slices.Contains(skipped, logical) {
				a.note(s, logical, "UPDATE_FAILED", reason)
				a.note(s, "", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: ["+logical+"]. ")
				return
			}
			kept := *s.before.resources[logical]
			s.resources[logical] = &kept
			a.changed(&kept)
			a.note(s, logical, "UPDATE_COMPLETE", "")
			then()
		})
	}, func() {
		a.note(s, "", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
		series(added, func(logical string, then func()) {
			a.unmakeOne(s, logical, true, func(bool) { then() })
		}, func() { a.note(s, "", "UPDATE_ROLLBACK_COMPLETE", "") })
	})
}

// end is what becomes of a stack that is deleted.
func (a *AWS) end(s *stack) {
	a.note(s, "", "DELETE_COMPLETE", "")
	s.deleted = a.now()
}
