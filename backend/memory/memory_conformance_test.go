package memory_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/conformance"
)

func open(testing.TB) backend.Backend { return memory.New(nil) }

func feeding(testing.TB) backend.Backend { return memory.New(&memory.Options{Feed: true}) }

func TestConformance(t *testing.T) { conformance.Run(t, open) }
func TestFeed(t *testing.T)        { conformance.RunFeed(t, feeding) }
func TestUsage(t *testing.T)       { conformance.RunUsage(t, feeding) }
func TestSweep(t *testing.T)       { conformance.RunSweep(t, open) }
func TestScan(t *testing.T)        { conformance.RunScan(t, open) }
func TestMax(t *testing.T)         { conformance.RunMax(t, open) }
func TestModel(t *testing.T)       { conformance.RunModel(t, open) }
func FuzzModel(f *testing.F)       { conformance.Fuzz(f, open) }
func BenchmarkStore(b *testing.B)  { conformance.Benchmark(b, open) }
