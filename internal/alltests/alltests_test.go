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
		inner.Env = append(os.Environ(), "ALLTESTS_INNER=1", "ZAE_LIMITER_TEST_ALL="+c.all)
		out, err := inner.CombinedOutput()
		if skipped := strings.Contains(string(out), "--- SKIP: TestLong"); err != nil || skipped != c.skipped {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
	}
}
