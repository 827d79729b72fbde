package stacktest

import "maps"

// faults are what tests want to go wrong.
type faults struct {
	counts    map[string]int
	answers   map[string][]*Answer // by action, for its next requests
	hooks     map[string]func(n int)
	failures  map[string]string // by step and logical id
	early     bool
	noUpdates bool
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
	queue := a.answers[action]
	if len(queue) == 0 {
		return nil
	}
	a.answers[action] = queue[1:]
	return queue[0]
}

// failure returns why a step of a resource fails this time, "" if it does not.
func (a *AWS) failure(step, logical string) string {
	defer delete(a.failures, step+" "+logical)
	return a.failures[step+" "+logical]
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

// On calls a function before each request of an action, with the request's number from 1. It may call the methods of the
// account.
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
