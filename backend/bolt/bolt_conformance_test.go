package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// opener opens the same file each time.
func opener(t testing.TB, o bolt.Options) conformance.Open {
	path := filepath.Join(t.TempDir(), "store")
	return func(t testing.TB) backend.Backend { return mustOpen(t, path, &o) }
}

// fresh and fed do without syncs: the suite ends no machine.
func fresh(t testing.TB) backend.Backend { return opener(t, bolt.Options{NoSync: true})(t) }

func fed(t testing.TB) backend.Backend { return opener(t, bolt.Options{NoSync: true, Feed: true})(t) }

func TestConformance(t *testing.T) { conformance.Run(t, fresh) }
func TestFeed(t *testing.T)        { conformance.RunFeed(t, fed) }
func TestUsage(t *testing.T)       { conformance.RunUsage(t, fed) }
func TestSweep(t *testing.T)       { conformance.RunSweep(t, fresh) }
func TestScan(t *testing.T)        { conformance.RunScan(t, fresh) }
func TestMax(t *testing.T)         { conformance.RunMax(t, fresh) }
func TestModel(t *testing.T)       { conformance.RunModel(t, fresh) }
func FuzzModel(f *testing.F)       { conformance.Fuzz(f, fresh) }
func BenchmarkStore(b *testing.B)  { conformance.Benchmark(b, fresh) }

func TestDurable(t *testing.T) {
	conformance.RunDurable(t, func(t testing.TB) conformance.Open { return opener(t, bolt.Options{Feed: true}) })
}
