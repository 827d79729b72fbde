package conformance

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Open returns a new, empty store for one subtest, benchmark or fuzzed input, or ends that test if it cannot. Subtests run in
// parallel, so that no two stores may share records. The suite closes the store; Open registers any other clean-up with
// t.Cleanup.
type Open func(t testing.TB) backend.Backend

// promise is one sentence of the contract, by its name in package backend, and what proves it.
type promise struct {
	name  string
	means string // the sentence, as in package backend
	cases cases
	power bool // of a capability that not every store has
}

// cases are the subtests of one promise.
type cases []struct {
	name  string
	prove func(*storeTest)
}

// promises are those of the contract, in its order.
var promises = []promise{
	{name: "Absent", cases: absent, means: "an unknown key reads as a record that is not present, never as an error and never as a record of zeros."},
	{name: "RoundTrip", cases: roundTrip, means: "values come back as they were written: numbers of up to 38 digits and either sign, any UTF-8, any bytes, the empty string. There are no floats and no sets."},
	{name: "ReadOwnCommit", cases: readOwnCommit, means: "every later read by key sees an acknowledged write, through whatever handle."},
	{name: "AllOrNothing", cases: allOrNothing, means: "if any condition of a commit fails, nothing changes."},
	{name: "Verdict", cases: verdict, means: "a write that was refused returns the record that its conditions were checked on, a write that took effect returns the record after it, and a commit that was refused names the write."},
	{name: "OneMoment", cases: oneMoment, means: "no other write comes between checking the conditions of a write and applying its effects."},
	{name: "Independent", cases: independent, means: "the writes of one Apply are checked one by one, and each has its own outcome."},
	{name: "Views", cases: views, means: "a listing is in the order of bytes, in both directions, and complete across pages. An index listing may lag behind writes; it never lists a key that was not there, and it catches up."},
	{name: "Apart", cases: apart, means: "no call sees the records of another namespace, whatever characters the parts of a key contain."},
	{name: "Expiry", cases: expiry, means: "a record is never dropped before its expiry, and may stay after it."},
	{name: "Limits", cases: limits, means: "lengths and counts beyond those of this package are refused before anything is written."},
	{name: "Cancelled", cases: cancelled, means: "if ctx is done before a call, nothing is written; if it ends during a call, the call returns promptly, and its error says whether the outcome is known."},
	{name: "Errors", cases: errorsPromise, means: "only errors of this package and of ctx are returned, and the driver's own is reachable by errors.As. A record that cannot be read is named, does not prevent reading others, and can be removed."},
	{name: "Closed", cases: closed, means: "a second Close returns nil, and every call after Close returns ErrClosed."},
	{name: "Shared", cases: shared, means: "all methods are safe for concurrent use."},
	{name: "Clockless", cases: clockless, means: "no promise depends on what time it is where the store runs."},
}

// having opens stores that must have a capability, and ends the subtest of one that has not.
func having(open Open, name string, has func(backend.Capabilities) bool) Open {
	return func(t testing.TB) backend.Backend {
		t.Helper()
		store := open(t)
		if !has(store.Capabilities()) {
			t.Fatalf("the store's Capabilities have no %s: set it, open the store so that it is set, or remove this runner from the test", name)
		}
		return store
	}
}

// Run proves that the stores of open keep the contract of package backend. It has one parallel subtest for each promise, of
// the same name, and below it one for each side of the promise, with a store of its own.
func Run(t *testing.T, open Open) { run(t, open, promises) }

func run(t *testing.T, open Open, promises []promise) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range p.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					explain(t, p.failed())
					c.prove(newStoreTest(t, open))
				})
			}
		})
	}
}
