package conformance_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// BenchmarkHost runs on a store that writes one key, whatever it is told, for TestBenchmarkLooks.
func BenchmarkHost(b *testing.B) {
	if !*hosting {
		return
	}
	conformance.Benchmark(b, func(t testing.TB) backend.Backend {
		inner := open(t)
		return broken{Backend: inner, apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
			writes = slices.Clone(writes)
			for i := range writes {
				writes[i].Key.Sort, writes[i].Memo = "one", nil
			}
			return inner.Apply(ctx, writes, out)
		}}
	})
}

// TestBenchmarkLooks wants a benchmark to fail where its work was not done.
func TestBenchmarkLooks(t *testing.T) {
	t.Parallel()
	host := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkHost$", "-test.benchtime=50x", "-conformance.mutants")
	out, err := host.CombinedOutput()
	if err == nil {
		t.Errorf("all benchmarks of a store with one key succeed: %s", out)
	}
	for _, name := range []string{"Apply", "ApplyMany", "Hot", "Spread", "Read", "ReadMany"} {
		if !regexp.MustCompile(`FAIL: BenchmarkHost/` + name + `\b`).Match(out) {
			t.Errorf("the benchmark %s of a store with one key succeeds: %s", name, out)
		}
	}
}
