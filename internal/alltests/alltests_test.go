package alltests_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// TestLong stands for a test that takes long.
func TestLong(t *testing.T) { alltests.Only(t) }

// TestTool stands for a test that needs a program which is missing.
func TestTool(t *testing.T) {
	if os.Getenv("ALLTESTS_INNER") == "" {
		return // another test starts it
	}
	alltests.Program(t, "hammer", "no-such-program", "buy one")
}

// A long test runs if all tests do, or if it is named.
func TestOnly(t *testing.T) {
	if os.Getenv("ALLTESTS_INNER") != "" {
		t.Skip("this is the inner run")
	}
	for _, c := range []struct {
		flag, all string
		skipped   bool
	}{{"-test.run=", "", true}, {"-test.run=", "1", false}, {"-test.run=^TestLong$", "", false}} {
		inner := exec.CommandContext(t.Context(), os.Args[0], c.flag, "-test.v")
		inner.Env = append(os.Environ(), "ALLTESTS_INNER=1", alltests.Variable+"="+c.all)
		out, err := inner.CombinedOutput()
		if skipped := strings.Contains(string(out), "--- SKIP: TestLong"); err != nil || skipped != c.skipped {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
	}
}

// A test that needs a program is skipped without it, and fails if its tool is required.
func TestProgram(t *testing.T) {
	for require, fails := range map[string]bool{"": false, "hammers,saw": false, "saw,hammer": true} {
		inner := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTool$", "-test.v")
		inner.Env = append(os.Environ(), "ALLTESTS_INNER=1", alltests.RequireVariable+"="+require)
		out, err := inner.CombinedOutput()
		skipped := strings.Contains(string(out), "--- SKIP: TestTool")
		if (err != nil) != fails || skipped == fails || !strings.Contains(string(out), "no-such-program: buy one") {
			t.Errorf("with %q: %v\n%s", require, err, out)
		}
	}
	if path := alltests.Program(t, "hammer", "go", "install Go"); path == "" {
		t.Error("a program that is there has no path")
	}
}
