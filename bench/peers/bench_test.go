package peers

import (
	"flag"
	"testing"
)

// BenchmarkDecide measures one decision over two limits, for every workload and contender.
func BenchmarkDecide(b *testing.B) {
	for _, w := range workloads() {
		if once() {
			w = w.small()
		}
		var c *course
		for _, who := range contenders {
			if skips(who, w) {
				continue
			}
			var p peer // kept while b.N grows: making the keys live takes longer than the run
			b.Run(w.name+"/"+who.name, func(b *testing.B) {
				if c == nil {
					c = newCourse(w)
				}
				if p == nil {
					p = who.openFunc(c.limits)
					if err := c.prepare(p); err != nil {
						b.Fatal(err)
					}
				}
				decide(b, c, p)
			})
			if p != nil {
				p.Close()
			}
		}
	}
}

func decide(b *testing.B, c *course, p peer) {
	b.ReportAllocs()
	b.ResetTimer()
	r, err := c.run(p, b.N, 0)
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(r.perOp(), "ns/op")
	if c.timed {
		b.ReportMetric(float64(r.lat.quantile(0.5)), "p50-ns")
		b.ReportMetric(float64(r.lat.quantile(0.99)), "p99-ns")
	}
}

// BenchmarkHeap reports what a million live keys cost; b.N has no meaning in it.
func BenchmarkHeap(b *testing.B) {
	keys := maxKeys
	if once() {
		keys /= 100
	}
	for _, who := range contenders {
		var f *footprint
		b.Run(who.name, func(b *testing.B) {
			if f == nil {
				measured, err := weigh(who, keys)
				if err != nil {
					b.Fatal(err)
				}
				f = &measured
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(f.BytesPerKey, "B/key")
			b.ReportMetric(float64(f.NewKey), "ns/new-key")
			b.ReportMetric(float64(f.GC.Microseconds())/1000, "ms/gc")
		})
	}
}

// once reports whether the benchmarks run only to see that they still do.
func once() bool {
	f := flag.Lookup("test.benchtime")
	return f != nil && f.Value.String() == "1x"
}
