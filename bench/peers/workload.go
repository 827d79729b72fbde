package peers

import (
	"math/rand/v2"
	"runtime"
)

// workload is what all contenders do alike: who asks, for which keys, and what the answer has to be.
type workload struct {
	name       string
	goroutines int
	keys       int
	spread     float64 // least share of the keys that as many even draws would touch
	limits     limits
	denied     bool // every decision is a denial; else every one an admission
	timed      bool // each decision is timed by itself
	busy       bool // no goroutine ever waits for another one: time is the processor's, whatever else the machine does
	drawFunc   func(keys, length int) []int32
	length     int // of the sequence of keys, a power of two
	n          int // decisions per round of a comparison
	split      int // rounds in place of each, where there are no caches to warm and short ones do
}

// workloads are all that is measured here, but for the heap.
func workloads() []workload {
	procs := runtime.GOMAXPROCS(0)
	both := limits{ample, ample}
	return []workload{
		{name: "hot/serial", busy: true, goroutines: 1, keys: 1, limits: both, drawFunc: hot, length: 1, n: 500_000, split: 2},
		{name: "hot/2-goroutines", goroutines: 2, keys: 1, limits: both, drawFunc: hot, length: 1, n: 500_000, split: 2},
		{name: "hot/64-goroutines", goroutines: 64, keys: 1, limits: both, drawFunc: hot, length: 1, timed: true, n: 1_000_000},
		{name: "uniform-100k/parallel", busy: true, goroutines: procs, keys: 100_000, spread: 0.95, limits: both, drawFunc: uniform, length: 1 << 20, n: 500_000},
		{name: "zipf-1M/parallel", busy: true, goroutines: procs, keys: maxKeys, spread: 0.2, limits: both, drawFunc: zipf, length: 1 << 21, n: 500_000},
		{name: "denied-by-first/serial", busy: true, goroutines: 1, keys: 1, limits: limits{frozen(1), ample}, denied: true, drawFunc: hot, length: 1, n: 500_000, split: 2},
		{name: "denied-by-second/serial", busy: true, goroutines: 1, keys: 1, limits: limits{ample, frozen(1)}, denied: true, drawFunc: hot, length: 1, n: 500_000, split: 2},
	}
}

// small is the same workload on a hundredth of the keys.
func (w workload) small() workload {
	if w.keys > 1 {
		w.keys /= 100
		w.length = 1 << 15
	}
	return w
}

// Sequences of keys, the same on every run.

func hot(int, int) []int32 { return []int32{0} }

func uniform(keys, length int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	seq := make([]int32, length)
	for i := range seq {
		seq[i] = r.Int32N(int32(keys))
	}
	return seq
}

// zipf draws with exponent 1.1. Ranks are scattered over the keys: popular ones are no neighbours in memory.
func zipf(keys, length int) []int32 {
	r := rand.New(rand.NewPCG(3, 4))
	z, scattered := rand.NewZipf(r, 1.1, 1, uint64(keys-1)), r.Perm(keys)
	seq := make([]int32, length)
	for i := range seq {
		seq[i] = int32(scattered[z.Uint64()])
	}
	return seq
}
