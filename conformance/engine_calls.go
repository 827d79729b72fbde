package conformance

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

const aDay = 24 * time.Hour

// requests counts the requests that reach the store while act runs.
func (r *engineTest) requests(act func()) (writes, reads int) {
	w, c, n := r.faults.Calls(OpApply), r.faults.Calls(OpCommit), r.faults.Calls(OpRead)
	act()
	return r.faults.Calls(OpApply) - w + r.faults.Calls(OpCommit) - c, r.faults.Calls(OpRead) - n
}

func (r *engineTest) wantRequests(what string, writes, reads int, act func()) {
	r.Helper()
	if w, n := r.requests(act); w != writes || n != reads {
		r.Errorf("%s: %d writes and %d reads, not %d and %d", what, w, n, writes, reads)
	}
}

// wantWait compares the wait that a denial states for one limit.
func (r *engineTest) wantWait(e *engine.ExceededError, name string, want time.Duration) {
	r.Helper()
	for _, s := range e.Statuses() {
		if s.Limit.Name == name {
			if s.RetryAfter != want {
				r.Errorf("%s of %s: retry after %v, not %v", name, s.Entity, s.RetryAfter, want)
			}
			return
		}
	}
	r.Errorf("the denial does not list %s: %v", name, e)
}
