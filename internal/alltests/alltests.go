package alltests

import (
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	// Variable is set by `make test`, and asks for all tests.
	Variable = "ZAE_LIMITER_TEST_ALL"

	// RequireVariable lists, between commas, the tools without which tests fail and are not skipped.
	RequireVariable = "ZAE_LIMITER_TEST_REQUIRE"
)

// Asked reports whether all tests are asked for.
func Asked() bool { return os.Getenv(Variable) != "" }

// Requires reports whether a test that needs a tool fails if the tool is missing, and is not skipped.
func Requires(tool string) bool {
	return slices.Contains(strings.Split(os.Getenv(RequireVariable), ","), tool)
}

// Only skips the test unless all tests were asked for, or some by -run.
func Only(t testing.TB) {
	t.Helper()
	if !Asked() && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("it takes long: name it with -run, run `make test`, or set " + Variable + "=1")
	}
}

// Program returns the path of a program, which is part of a tool. If it is missing, the test is skipped, or fails if the tool is
// required. install says how to get it.
func Program(t testing.TB, tool, program, install string) (path string) {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
	case Requires(tool):
		t.Fatalf("%s has %s, and there is no %s: %s", RequireVariable, tool, program, install)
	default:
		t.Skipf("there is no %s: %s", program, install)
	}
	return path
}
