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

// nextAnswer counts a request and returns the answer that a test wants for it, nil for the ordinary one.
func (a *AWS) nextAnswer(action string) *Answer {
	a.counts[action]++
	if hook := a.hooks[action]; hook != nil {
		n := a.counts[action]
		a.lock.Unlock()
		hook(n)
		a.lock.Lock()
	}
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
	a.lock.Lock()
	defer a.lock.Unlock()
	return maps.Clone(a.counts)
}

// change changes what goes wrong.
func (a *AWS) change(f func(*faults)) {
	a.lock.Lock()
	defer a.lock.Unlock()
	f(&a.faults)
}

// Answer sets the answers to the next requests of an action; nil is the ordinary answer.
func (a *AWS) Answer(action string, answers ...*Answer) {
	a.change(func(f *faults) { f.answers[action] = answers })
}

// On calls a function before each request of an action, with the request's number from 1. It may call the methods of the
// account.
func (a *AWS) On(action string, hook func(n int)) {
	a.change(func(f *faults) { f.hooks[action] = hook })
}

// Fail makes the next step of a resource fail for a reason: create, update, delete, or roll back. The step propose of a stack
// is its next change set. The deletion of a bucket with objects fails anyway.
func (a *AWS) Fail(step, logical, reason string) {
	a.change(func(f *faults) { f.failures[step+" "+logical] = reason })
}

// ValidateEarly makes change sets fail if their resources exist outside of the stack. Otherwise only their execution fails.
func (a *AWS) ValidateEarly() { a.change(func(f *faults) { f.early = true }) }

// RefuseNoChange makes CreateChangeSet reject a change set without changes. Otherwise it creates one that has failed.
func (a *AWS) RefuseNoChange() { a.change(func(f *faults) { f.noUpdates = true }) }
