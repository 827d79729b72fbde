package alltests

import (
	"flag"
	"os"
	"testing"
)

const variable = "ZAE_LIMITER_TEST_ALL" // `make test` sets it

// Only skips the test unless all tests were asked for, or some by -run.
func Only(t testing.TB) {
	t.Helper()
	if os.Getenv(variable) == "" && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("it takes long: name it with -run, run `make test`, or set " + variable + "=1")
	}
}
