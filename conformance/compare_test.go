package conformance_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

func TestCompare(t *testing.T) {
	conformance.Compare(t, map[string]conformance.Open{
		"memory": open,
		"bolt":   func(t testing.TB) backend.Backend { return openBolt(t, filepath.Join(t.TempDir(), "store")) },
		"faultless": func(t testing.TB) backend.Backend {
			return limitertest.NewFault(open(t), nil)
		},
	})
}

// TestCompareHost compares a store with one that is broken, for TestCompareReports.
func TestCompareHost(t *testing.T) {
	if !*hosting {
		return
	}
	for _, m := range mutants {
		if m.name == "drops the expiry with each write" {
			conformance.Compare(t, map[string]conformance.Open{"right": open, "wrong": func(t testing.TB) backend.Backend {
				inner := open(t)
				b := m.breaks(inner)
				b.Backend = inner
				return b
			}})
		}
	}
}

// TestModelHost runs the random things on a store that is broken, for TestModelReports.
func TestModelHost(t *testing.T) {
	if !*hosting {
		return
	}
	conformance.RunModel(t, func(t testing.TB) backend.Backend {
		inner := open(t)
		b := answersBefore(inner)
		b.Backend = inner
		return b
	})
}

func mustFail(t *testing.T, host string, flags ...string) []byte {
	t.Helper()
	flags = append([]string{"-test.run=^" + host + "$", "-conformance.mutants", "-rapid.nofailfile"}, flags...)
	out, err := exec.CommandContext(t.Context(), os.Args[0], flags...).CombinedOutput()
	if err == nil {
		t.Fatalf("two stores that differ are found to be the same: %s", out)
	}
	return out
}

// TestCompareReports looks at what a failure prints: the seed, the operations, the last lines of both, and how to run
// it again, which fails again.
func TestCompareReports(t *testing.T) {
	t.Parallel()
	out := mustFail(t, "TestCompareHost")
	for _, want := range []string{"operations:\n", "last lines of right:\n", "last lines of wrong:\n", `-run="TestCompareHost" -rapid.seed=`} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the report has no %q: %s", want, out)
		}
	}
	_, seed, _ := strings.Cut(string(out), "-rapid.seed=")
	mustFail(t, "TestCompareHost", "-rapid.seed="+strings.Fields(seed)[0], "-rapid.checks=1")
}

func TestModelReports(t *testing.T) {
	t.Parallel()
	out := mustFail(t, "TestModelHost")
	for _, want := range []string{"the store answers applied: ", "the model answers applied: ", "-rapid.seed="} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the report has no %q: %s", want, out)
		}
	}
}
