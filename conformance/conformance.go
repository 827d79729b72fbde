package conformance

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Open gives a fresh, empty store for one subtest, benchmark or fuzzed input, and ends that test where it cannot.
// The suite closes the store; whatever lies beneath is cleaned up by the closure's own t.Cleanup.
type Open func(t testing.TB) backend.Backend

// promise is one sentence of the contract, by its name in package backend, and what proves it.
type promise struct {
	name  string
	cases cases
}

// cases are the subtests of one promise.
type cases []struct {
	name  string
	prove func(*trial)
}

// promises are those of the contract, in its order.
var promises = []promise{
	{"Absent", absent},
	{"RoundTrip", roundTrip},
	{"ReadOwnCommit", readOwnCommit},
	{"AllOrNothing", allOrNothing},
	{"Verdict", verdict},
	{"OneMoment", oneMoment},
	{"Independent", independent},
	{"Views", views},
	{"Apart", apart},
	{"Expiry", expiry},
	{"Limits", limits},
	{"Cancelled", cancelled},
	{"Errors", errorsPromise},
	{"Closed", closed},
	{"Shared", shared},
	{"Clockless", clockless},
}

// having opens stores that must have a capability, and ends the subtest of one that has not.
func having(open Open, name string, has func(backend.Capabilities) bool) Open {
	return func(t testing.TB) backend.Backend {
		t.Helper()
		store := open(t)
		if !has(store.Capabilities()) {
			t.Fatalf("the store's Capabilities have no %s: run this only for stores that have it, and open them so that they do", name)
		}
		return store
	}
}

// Run proves that the stores which open gives keep the contract of package backend: one parallel subtest for each
// promise, of the same name, and below it one for each side of the promise, with a store of its own.
func Run(t *testing.T, open Open) { run(t, open, promises) }

func run(t *testing.T, open Open, promises []promise) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range p.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.prove(newTrial(t, open))
				})
			}
		})
	}
}
