package conformance_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/conformance"
)

// TestPromises compares the list of promises in the contract with that of the suite: same names, same order, same
// sentences; and wants every promise that an outcome of the engine names to be one of them.
func TestPromises(t *testing.T) {
	text, err := os.ReadFile("../backend/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var contract []string
	for _, item := range regexp.MustCompile(`(?m)^//   - ([A-Z]\w*): (.*(?:\n//     .*)*)`).FindAllSubmatch(text, -1) {
		name := string(item[1])
		contract = append(contract, name)
		sentence := strings.Join(strings.Fields(strings.ReplaceAll(string(item[2]), "\n//", " ")), " ")
		if got := conformance.Meaning(name); got != sentence {
			t.Errorf("of %s backend/doc.go says %q, and the suite %q", name, sentence, got)
		}
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
	for _, name := range conformance.Needs() {
		if !slices.Contains(suite, name) {
			t.Errorf("an outcome of the engine needs %s, which is no promise", name)
		}
	}
	if !t.Failed() && !slices.Equal(contract, suite) {
		t.Errorf("the promises are in another order: %v and %v", contract, suite)
	}
}
