package stacktest

import "maps"

// faults are what tests want to go wrong.
type faults struct {
	counts    map[string]int
	answers   map[string][]*Answer // by action, for its next requests
	hooks     map[string]func(n int)
	creations map[string]string // by logical id
	updates   map[string]string
	rollbacks map[string]string
	removals  map[string]string
	rejection string
	early     bool
	noUpdates bool
}

// nextAnswer counts a request and returns the answer that a test wants for it, nil for the ordinary one.
func (a *AWS) nextAnswer(action string) *Answer {
	if a.counts == nil {
		a.counts = map[string]int{}
	}
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

// failure returns why a resource fails this time, "" if it does not.
func (a *AWS) failure(reasons map[string]string, logical string) string {
	reason := reasons[logical]
	delete(reasons, logical)
	return reason
}

// set sets an entry in a map of faults.
func set[V any](a *AWS, m *map[string]V, key string, v V) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}

// Counts returns the number of requests of each action. Those of S3 are called s3:PUT, s3:GET and so on.
func (a *AWS) Counts() map[string]int {
	a.lock.Lock()
	defer a.lock.Unlock()
	return maps.Clone(a.counts)
}

// Answer sets the answers to the next requests of an action; nil is the ordinary answer.
func (a *AWS) Answer(action string, answers ...*Answer) { set(a, &a.answers, action, answers) }

// On calls a function before each request of an action, with the request's number from 1. It may call the methods of the
// account.
func (a *AWS) On(action string, hook func(n int)) { set(a, &a.hooks, action, hook) }

// FailCreate makes the next creation of a resource fail for a reason.
func (a *AWS) FailCreate(logical, reason string) { set(a, &a.creations, logical, reason) }

// FailUpdate makes the next change of a resource fail for a reason.
func (a *AWS) FailUpdate(logical, reason string) { set(a, &a.updates, logical, reason) }

// FailRollback makes the next rollback of a resource fail for a reason.
func (a *AWS) FailRollback(logical, reason string) { set(a, &a.rollbacks, logical, reason) }

// FailDelete makes the next deletion of a resource fail for a reason. That of a bucket with objects fails anyway.
func (a *AWS) FailDelete(logical, reason string) { set(a, &a.removals, logical, reason) }

// Reject makes the next change set fail for a reason.
func (a *AWS) Reject(reason string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.rejection = reason
}

// ValidateEarly makes change sets fail if their resources exist outside of the stack. Otherwise only their execution fails.
func (a *AWS) ValidateEarly() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.early = true
}

// RefuseNoChange makes CreateChangeSet reject a change set without changes. Otherwise it creates one that has failed.
func (a *AWS) RefuseNoChange() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.noUpdates = true
}
