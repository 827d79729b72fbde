package conformance_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// mutant is a store that breaks one promise, and no other.
type mutant struct {
	promise string
	name    string
	breaks  func(inner backend.Backend) broken
}

// broken is a store of which some methods are replaced. Beneath is a plain one, without powers.
type broken struct {
	backend.Backend
	read   func(context.Context, []backend.Key, []backend.Record) error
	apply  func(context.Context, []backend.Write, []backend.Outcome) error
	commit func(context.Context, [16]byte, []backend.Write) error
	list   func(context.Context, backend.Query) (backend.Keys, error)
	close  func() error
}

func (b broken) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	if b.read != nil {
		return b.read(ctx, keys, out)
	}
	return b.Backend.Read(ctx, keys, out)
}

func (b broken) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	if b.apply != nil {
		return b.apply(ctx, writes, out)
	}
	return b.Backend.Apply(ctx, writes, out)
}

func (b broken) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	if b.commit != nil {
		return b.commit(ctx, token, writes)
	}
	return b.Backend.Commit(ctx, token, writes)
}

func (b broken) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	if b.list != nil {
		return b.list(ctx, q)
	}
	return b.Backend.List(ctx, q)
}

func (b broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.Backend.Close()
}

func open(testing.TB) backend.Backend { return memory.New(&memory.Options{Feed: true}) }

// hosting makes this process run the suite on all mutants, which fails.
var hosting = flag.Bool("conformance.mutants", false, "run the suite on broken stores (TestMutants does, in a process of its own)")

// TestMutantHost is what TestMutants runs and reads.
func TestMutantHost(t *testing.T) {
	if !*hosting {
		return
	}
	conformance.SetPatience(200 * time.Millisecond)
	t.Run("none", func(t *testing.T) {
		conformance.Run(t, func(t testing.TB) backend.Backend { return broken{Backend: plain{open(t)}} })
		runPowers(t, func(s backend.Backend) backend.Backend { return s })
		runDurable(t, false)
	})
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			conformance.Run(t, func(t testing.TB) backend.Backend {
				inner := plain{open(t)}
				b := m.breaks(inner)
				b.Backend = inner
				return b
			})
		})
	}
	for _, m := range powerMutants {
		t.Run(m.name, func(t *testing.T) { runPowers(t, m.breaks) })
	}
	t.Run("forgets what it was told before it was closed", func(t *testing.T) { runDurable(t, true) })
}

// TestMutants runs the suite on each mutant: it fails the subtest of its own promise, and no other.
func TestMutants(t *testing.T) {
	alltests.Only(t)
	host := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMutantHost$", "-conformance.mutants", "-test.timeout=5m")
	out, _ := host.CombinedOutput() // it fails: that is what is looked at
	failed := map[string][]string{}
	for _, line := range regexp.MustCompile(`(?m)^ {8}--- FAIL: TestMutantHost/([^/\s]+)/(\w+) `).FindAllSubmatch(out, -1) {
		failed[string(line[1])] = append(failed[string(line[1])], string(line[2]))
	}
	want := map[string]string{"forgets what it was told before it was closed": "Durable"}
	for _, m := range mutants {
		want[m.name] = m.promise
	}
	for _, m := range powerMutants {
		want[m.name] = m.promise
	}
	spaces := regexp.MustCompile(`\s`)
	var caught []string
	for name, promise := range want {
		got := failed[spaces.ReplaceAllString(name, "_")]
		if !slices.Equal(got, []string{promise}) {
			t.Errorf("the mutant that %s fails %v, not %s alone", name, got, promise)
		}
		caught = append(caught, promise)
		if help := "The store breaks the promise " + promise + ": "; !bytes.Contains(out, []byte(help)) {
			t.Errorf("the failure does not explain itself: there is no %q", help)
		}
	}
	if got := failed["none"]; len(got) > 0 || len(failed) > len(want) {
		t.Errorf("the store without a mutation fails %v", got)
	}
	for _, promise := range append(conformance.Promises(), "Feed", "Sweep", "Scan", "Max", "Durable") {
		if !slices.Contains(caught, promise) {
			t.Errorf("no mutant breaks %s", promise)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
