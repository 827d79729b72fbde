package dynamotest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// M runs a package's tests and then ends the emulator that they started, if any. See [Wrap].
type M struct{ tests interface{ Run() int } }

// Main is a whole TestMain: it runs the tests and ends the process.
//
//	func TestMain(m *testing.M) { dynamotest.Main(m) }
func Main(m *testing.M) { os.Exit(Wrap(m).Run()) }

// Wrap returns the m of a TestMain that does more than [Main].
func Wrap(m interface{ Run() int }) M { return M{m} }

// Run runs the tests, ends the emulator, prints what was not run, and returns the exit code.
func (m M) Run() int {
	running = true
	code := m.tests.Run()
	if s := shared.server; s != nil {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	if line := closing(); line != "" {
		fmt.Fprintln(os.Stdout, line)
	}
	return code
}

// running is set by [M.Run], before any test runs.
var running bool

// mustBeRun ends a test whose package would leave its emulator running.
func mustBeRun(t testing.TB) {
	t.Helper()
	if !running {
		t.Fatal("dynamotest: nothing would end the emulator: add to the package's tests: func TestMain(m *testing.M) { dynamotest.Main(m) }")
	}
}

// mustBeAsked skips a test on a DynamoDB if none is asked for.
func mustBeAsked(t testing.TB) {
	t.Helper()
	if !asked() {
		missed(t, errNotAsked)
	}
}

// unrun holds the tests that were skipped, and why.
var unrun struct {
	lock  sync.Mutex
	tests map[string]bool
	why   []string
}

// missed ends a test that has no DynamoDB. The reason is printed once, after all tests.
func missed(t testing.TB, why error) {
	t.Helper()
	required := required()
	unrun.lock.Lock()
	if unrun.tests == nil {
		unrun.tests = map[string]bool{}
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	unrun.tests[name] = !required
	known := slices.Contains(unrun.why, why.Error())
	if !known {
		unrun.why = append(unrun.why, why.Error())
	}
	unrun.lock.Unlock()
	switch {
	case !required:
		t.Skip("no DynamoDB; the last line of the output says why")
	case known:
		t.Fatal("no DynamoDB, for the reason above")
	}
	t.Fatalf("%s=dynamodb: %v", alltests.RequireVariable, why)
}

// closing returns the line about what was not run, "" if everything was.
func closing() string {
	unrun.lock.Lock()
	defer unrun.lock.Unlock()
	names := make([]string, 0, len(unrun.tests))
	for name, skipped := range unrun.tests {
		if skipped {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	why := strings.Join(unrun.why, " / ")
	if shared.err != nil { // which tells of all ways, and is the same in every package
		why = shared.err.Error()
	}
	return fmt.Sprintf("dynamotest: not run: %s: %s", strings.Join(names, ", "), why)
}
