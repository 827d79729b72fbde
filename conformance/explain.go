package conformance

import (
	"fmt"
	"strings"
	"testing"
)

// guide explains each promise, and how stores break it.
const guide = "docs/writing-a-backend.md"

// explain logs what a failure of the test means and what to do about it, once the test is done.
func explain(t *testing.T, what string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\nRun it again: go test -count=1 -run '^%s$'", what, strings.ReplaceAll(t.Name(), "/", "$/^"))
		}
	})
}

// failed says what a failure of one of the promise's subtests means.
func (p *promise) failed() string {
	where := fmt.Sprintf("section 3, row %s", p.name)
	if p.power {
		where = fmt.Sprintf("section 5, row %s", p.name)
	}
	return fmt.Sprintf("The store breaks the promise %s: %s\n%s (%s) says how stores break it and how to keep it. "+
		"The subtest's name says which side of the promise failed, and its lines above what was expected.", p.name, p.means, guide, where)
}

// failed says what a failure of one of the outcome's stories means.
func (o *outcome) failed() string {
	return fmt.Sprintf("Over this store the limiter breaks what its users rely on, %s: %s\n"+
		"If Run or RunModel fails, too, mend that first: this depends most on the promises %s (%s, section 3). "+
		"If they pass, the mistake is in the suite or in the engine: report it with the lines above.", o.name, o.means, strings.Join(o.needs, ", "), guide)
}

// modelFailed says what it means if a store and the model of the contract answer differently.
const modelFailed = "The store and the model of the contract answer the same operations differently. Above is the shortest list of " +
	"operations that does it, then both answers. Look up the operation in the words of package backend: " + guide + ", section 7, " +
	"says how to read the list. The line \"To reproduce\" has the flags that run exactly this list again."
