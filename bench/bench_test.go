package bench

import (
	"flag"
	"strconv"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

// contender is a subject of a name, on a kind of store.
type contender struct {
	name     string
	openFunc func(k kind, dir string, w workload) (subject, error)
}

func limiter(name string, u usage) contender {
	return contender{name, func(k kind, dir string, w workload) (subject, error) { return newLimited(k, dir, w, u) }}
}

// The contenders. Floors do what is the least on their store: apply, the limiter's own write without the limiter;
// update and batch, one small value in a bbolt file of its own.
var (
	allow       = limiter("allow", usage{limits: 1})
	allowTwo    = limiter("allow-two-limits", usage{limits: 2})
	acquire     = limiter("acquire-commit", usage{limits: 1, lease: true})
	denyCached  = limiter("denied-cached", usage{limits: 1})
	denyByStore = limiter("denied-by-store", usage{limits: 1, options: engine.Options{DenialTTL: -1}})
	floorApply  = contender{"floor-apply", func(k kind, dir string, w workload) (subject, error) { return newPrepared(k, dir, w, 1) }}
	floorUpdate = contender{"floor-update", func(k kind, dir string, w workload) (subject, error) { return newRaw(k, dir, w, false) }}
	floorBatch  = contender{"floor-batch", func(k kind, dir string, w workload) (subject, error) { return newRaw(k, dir, w, true) }}
)

const (
	manyGoroutines = 64
	manyKeys       = 100_000
	mostKeys       = 1_000_000
)

// The workloads.
var (
	hotSerial  = workload{goroutines: 1, keys: 1, depth: 1, drawFunc: hot, spread: 1}
	hotMany    = workload{goroutines: manyGoroutines, keys: 1, depth: 1, drawFunc: hot, spread: 1}
	evenSerial = workload{goroutines: 1, keys: manyKeys, depth: 1, drawFunc: uniform, spread: 0.95}
	evenMany   = workload{goroutines: manyGoroutines, keys: manyKeys, depth: 1, drawFunc: uniform, spread: 0.95}
	zipfSerial = workload{goroutines: 1, keys: mostKeys, depth: 1, drawFunc: zipf, spread: 0.15}
	denials    = workload{goroutines: 1, keys: 1, depth: 1, drawFunc: hot, spread: 1, denied: true}
	cascade2   = workload{goroutines: 1, keys: 100, depth: 2, drawFunc: uniform, spread: 0.9}
	cascade3   = workload{goroutines: 1, keys: 100, depth: 3, drawFunc: uniform, spread: 0.9}
)

// scenario is a workload with those who do it.
type scenario struct {
	name string
	workload
	contenders []contender
	boltOnly   []contender
	memoryOnly bool
}

var scenarios = []scenario{
	{"hot/1", hotSerial, []contender{allow, allowTwo, acquire, floorApply}, []contender{floorUpdate}, false},
	{"denied/1", denials, []contender{denyCached, denyByStore, floorApply}, nil, false},
	{"cascade-2/1", cascade2, []contender{allow}, nil, false},
	{"cascade-3/1", cascade3, []contender{allow}, nil, false},
	{"hot/64", hotMany, []contender{allow, floorApply}, []contender{floorUpdate, floorBatch}, false},
	{"100k/1", evenSerial, []contender{allow, floorApply}, []contender{floorUpdate}, false},
	{"100k/64", evenMany, []contender{allow, floorApply}, []contender{floorUpdate, floorBatch}, false},
	{"1M-zipf/1", zipfSerial, []contender{allow, floorApply}, nil, true},
}

func BenchmarkMemory(b *testing.B)     { benchmark(b, inMemory) }
func BenchmarkBoltNoSync(b *testing.B) { benchmark(b, unsynced) }
func BenchmarkBolt(b *testing.B)       { benchmark(b, durable) }

func benchmark(all *testing.B, k kind) {
	for _, s := range scenarios {
		if s.memoryOnly && k.bolt {
			continue
		}
		w, who := s.workload, s.contenders
		if k.bolt {
			who = append(who[:len(who):len(who)], s.boltOnly...)
		}
		if few() {
			w = w.small()
		}
		var c *course
		for _, who := range who {
			var open subject // kept while b.N grows: bringing the keys into use takes longer than the run
			turn := 0
			all.Run(s.name+"/"+who.name, func(b *testing.B) {
				if c == nil {
					c = newCourse(w)
				}
				if open == nil {
					var err error
					if open, err = who.openFunc(k, all.TempDir(), w); err != nil {
						b.Fatal(err)
					}
				}
				measure(b, c, open, turn)
				turn++
			})
			if open != nil {
				if err := open.close(); err != nil {
					all.Error(err)
				}
			}
		}
	}
}

func measure(b *testing.B, c *course, s subject, turn int) {
	l, err := c.newLap(s, b.N, turn)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	l.run()
	b.StopTimer()
	if err := l.check(); err != nil {
		b.Fatal(err)
	}
	if l.goroutines > 1 {
		b.ReportMetric(float64(l.lat.quantile(0.5)), "p50-ns")
		b.ReportMetric(float64(l.lat.quantile(0.99)), "p99-ns")
	}
}

// few reports whether benchmarks run so few times that bringing many keys into use would be all they do.
func few() bool {
	f := flag.Lookup("test.benchtime")
	if f == nil {
		return false
	}
	times, counted := strings.CutSuffix(f.Value.String(), "x")
	n, err := strconv.Atoi(times)
	return counted && err == nil && n < 10_000
}
