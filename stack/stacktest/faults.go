package stacktest

import (
	"maps"
	"slices"
	"time"
)

// faults are what tests want to go wrong.
type faults struct {
	counts           map[string]int
	answers          map[string][]*Answer // by action, for its next requests
	hooks            map[string]func(n int)
	failures         map[string]string // by step and logical id
	early, noUpdates bool              // see ValidateEarly and RefuseNoChange
}

// receive counts a request and brings the account up to date. It returns the answer that a test wants for the request, nil for
// the ordinary one. The request is one of an action, of which IAM authorizes parts.
func (a *AWS) receive(action string, parts []Request) *Answer {
	a.authorize(parts...)
	a.counts[action]++
	if hook := a.hooks[action]; hook != nil {
		n := a.counts[action]
		a.lock.Unlock()
		hook(n)
		a.lock.Lock()
	}
	a.catchUp()
	if queue := a.answers[action]; len(queue) > 0 {
		a.answers[action] = queue[1:]
		return queue[0]
	}
	return nil
}

// failure returns why a step of a resource fails this time, "" if it does not.
func (a *AWS) failure(step, logical string) string {
	defer delete(a.failures, step+" "+logical)
	return a.failures[step+" "+logical]
}

// authorize records what IAM is asked.
func (a *AWS) authorize(requests ...Request) {
	for _, q := range requests {
		a.asked[q.String()] = q
	}
}

// Authorized returns the requests that IAM was asked to authorize, each once: those of callers, and those that CloudFormation
// makes on their behalf.
func (a *AWS) Authorized() []Request {
	defer a.enter()()
	return slices.Collect(maps.Values(a.asked))
}

// Counts returns the number of requests of each action. Those of S3 are called s3:PUT, s3:GET and so on.
func (a *AWS) Counts() map[string]int {
	defer a.enter()()
	return maps.Clone(a.counts)
}

// Answer sets the answers to the next requests of an action; nil is the ordinary answer.
func (a *AWS) Answer(action string, answers ...*Answer) {
	defer a.enter()()
	a.answers[action] = answers
}

// On calls a function before each request of an action, with its number from 1. The function may call methods of the account.
func (a *AWS) On(action string, hook func(n int)) {
	defer a.enter()()
	a.hooks[action] = hook
}

// Fail makes the next step of a resource fail for a reason: create, update, delete, or roll back. The step propose of a stack
// is its next change set. The deletion of a bucket with objects fails anyway.
func (a *AWS) Fail(step, logical, reason string) {
	defer a.enter()()
	a.failures[step+" "+logical] = reason
}

// ValidateEarly makes change sets fail if their resources exist outside of the stack. Otherwise only their execution fails.
func (a *AWS) ValidateEarly() {
	defer a.enter()()
	a.early = true
}

// RefuseNoChange makes CreateChangeSet reject a change set without changes. Otherwise it creates one that has failed.
func (a *AWS) RefuseNoChange() {
	defer a.enter()()
	a.noUpdates = true
}

// SetStatus sets a stack's status, as somebody else would in the middle of whatever happens to it, and creates an empty stack
// if there is none with that name. The status DELETE_COMPLETE deletes the stack and leaves its resources.
func (a *AWS) SetStatus(name, status string) {
	defer a.enter()()
	s := a.find(name)
	if s == nil {
		s = a.newStack(name)
		a.stacks = slices.Insert(a.stacks, 0, s)
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
