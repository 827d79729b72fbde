package conformance_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/zeroae/zae-limiter-go/conformance"
)

// TestPromises compares the list of promises in the contract with that of the suite: same names, same order.
func TestPromises(t *testing.T) {
	text, err := os.ReadFile("../backend/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var contract []string
	for _, line := range regexp.MustCompile(`(?m)^//   - ([A-Z]\w*): `).FindAllSubmatch(text, -1) {
		contract = append(contract, string(line[1]))
	}
	suite := conformance.Promises()
	for _, name := range contract {
		if !slices.Contains(suite, name) {
			t.Errorf("backend/doc.go promises %s, and nothing proves it", name)
		}
	}
	for _, name := range suite {
		if !slices.Contains(contract, name) {
			t.Errorf("the suite proves %s, which backend/doc.go does not promise", name)
		}
	}
	if !t.Failed() && !slices.Equal(contract, suite) {
		t.Errorf("the promises are in another order: %v and %v", contract, suite)
	}
}
