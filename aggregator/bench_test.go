package aggregator_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// BenchmarkProcess measures batches of a hundred changes, of ten buckets and of a hundred, on the memory store, per change.
func BenchmarkProcess(b *testing.B) {
	for _, buckets := range []int{10, 100} {
		b.Run(fmt.Sprint(buckets, "Buckets"), func(b *testing.B) {
			a := aggregatorOver(b, memory.New(nil), aggregator.Options{})
			ver, counted := noon.UnixNano(), 0
			changes := make([]backend.Change, 100)
			for i := range changes {
				changes[i] = bucketChange(fmt.Sprint("e", i%buckets), ver, ver, packed(rpm, tpm), 1)
			}
			b.ReportAllocs()
			for range b.N/len(changes) + 1 {
				for i := range changes {
					ver++
					changes[i].After.SetNum(0, backend.Int(ver))
				}
				counted += a.Process(b.Context(), changes, noon).Counted
			}
			if counted < b.N {
				b.Fatalf("%d counted in %d", counted, b.N)
			}
		})
	}
}

// BenchmarkAcquire measures the cost of usage for an acquire in memory: without a feed, with an unread feed, and with usage.
func BenchmarkAcquire(b *testing.B) {
	for name, open := range map[string]func() backend.Backend{
		"Alone": func() backend.Backend { return memory.New(nil) },
		"Feed":  func() backend.Backend { return memory.New(&memory.Options{Feed: true}) },
		"Counted": func() backend.Backend {
			s, err := aggregator.Count(memory.New(&memory.Options{Feed: true}), nil)
			must(b, err)
			return s
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := open()
			l, err := engine.New(s, nil)
			must(b, err)
			q := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"tpm": 1}, Limits: []engine.Limit{engine.Every("tpm", 1e12, time.Second)}}
			b.ReportAllocs()
			for b.Loop() {
				if d, err := l.Allow(b.Context(), q); err != nil || !d.Allowed {
					b.Fatal(d, err)
				}
			}
			l.Close()
			must(b, s.Close())
		})
	}
}
