package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Benchmark measures each operation of a store, and fails if a loop has not done the work that its name says.
func Benchmark(b *testing.B, open Open) {
	for _, c := range []struct {
		name string
		loop func(*testing.B, *storeTest)
	}{
		{"Apply", benchApply},
		{"ApplyMany", benchApplyMany},
		{"Refuse", benchRefuse},
		{"Hot", benchHot},
		{"Spread", benchSpread},
		{"Commit", benchCommit},
		{"Conflict", benchConflict},
		{"Read", benchRead},
		{"ReadMany", benchReadMany},
		{"List", benchList},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newStoreTest(b, open)
			s.namespaces = nil
			b.ReportAllocs()
			c.loop(b, s)
		})
	}
}

// take returns a write like that of an acquire: conditions, additions, an expiry.
func take(k backend.Key, atMost int64) []backend.Write {
	return []backend.Write{write(k, backend.Cond{Slot: slotN, Op: backend.AtMost, OrAbsent: true, A: numOf(atMost)},
		backend.Cond{Slot: slotS, Op: backend.Equal, OrAbsent: true, Text: "limits"}, add(1), setNum(slotM, numOf(1)), setText(slotS, "limits"),
		backend.Expiry(future))}
}

const unlimited = 1 << 60

// total returns the sum of n in the records of keys.
func (s *storeTest) total(keys ...backend.Key) (sum int64) {
	for _, r := range s.mustRead(keys...) {
		sum += r.Int64(slotN)
	}
	return sum
}

// wantWork compares the work that was done with what was wanted.
func wantWork(b *testing.B, what string, got, want int64) {
	b.Helper()
	if b.StopTimer(); got != want {
		b.Fatalf("%s: %d, not %d", what, got, want)
	}
}

// count applies writes repeatedly, with their memos, and counts the outcomes.
func count(ctx context.Context, b *testing.B, s *storeTest, writes []backend.Write, next func() bool) (applied, refused int64) {
	out := make([]backend.Outcome, len(writes))
	for next() {
		if err := s.store.Apply(ctx, writes, out); err != nil {
			b.Error(err)
			return applied, refused
		}
		for i := range out {
			if out[i].Applied {
				applied++
			} else {
				refused++
			}
		}
	}
	return applied, refused
}

func benchApply(b *testing.B, s *storeTest) {
	applied, _ := count(b.Context(), b, s, take(keyOf("k"), unlimited), b.Loop)
	wantWork(b, "writes that took effect", applied, int64(b.N))
	wantWork(b, "what they added up to", s.total(keyOf("k")), int64(b.N))
}

func benchApplyMany(b *testing.B, s *storeTest) {
	var writes []backend.Write
	var keys []backend.Key
	for i := range 10 {
		keys = append(keys, keyOf(fmt.Sprint(i)))
		writes = append(writes, take(keys[i], unlimited)...)
	}
	applied, _ := count(b.Context(), b, s, writes, b.Loop)
	wantWork(b, "writes that took effect", applied, int64(10*b.N))
	wantWork(b, "what they added up to", s.total(keys...), int64(10*b.N))
}

func benchRefuse(b *testing.B, s *storeTest) {
	s.mustPut(write(keyOf("k"), set(7)))
	_, refused := count(b.Context(), b, s, take(keyOf("k"), 6), b.Loop)
	wantWork(b, "writes that were refused", refused, int64(b.N))
	wantWork(b, "what was there before", s.total(keyOf("k")), 7)
}

// benchHot writes one key from several goroutines, and half of the writes are refused.
func benchHot(b *testing.B, s *storeTest) {
	var admitted, denied atomic.Int64
	capacity := int64(b.N+1) / 2
	b.RunParallel(func(p *testing.PB) {
		applied, refused := count(b.Context(), b, s, take(keyOf("k"), capacity-1), p.Next)
		admitted.Add(applied)
		denied.Add(refused)
	})
	wantWork(b, "admitted and denied", admitted.Load()+denied.Load(), int64(b.N))
	wantWork(b, "admitted", admitted.Load(), capacity)
	wantWork(b, "what they added up to", s.total(keyOf("k")), capacity)
}

// benchSpread writes a thousand keys from several goroutines, each equally often.
func benchSpread(b *testing.B, s *storeTest) {
	var at atomic.Int64
	keys := make([]backend.Key, 1000)
	for i := range keys {
		keys[i] = keyOf(fmt.Sprint(i))
	}
	b.RunParallel(func(p *testing.PB) {
		writes, out := make([][]backend.Write, len(keys)), make([]backend.Outcome, 1)
		for i, k := range keys {
			writes[i] = take(k, unlimited)
		}
		for p.Next() {
			if err := s.store.Apply(b.Context(), writes[at.Add(1)%int64(len(keys))], out); err != nil || !out[0].Applied {
				b.Errorf("Apply: %v, %v", out[0].Applied, err)
				return
			}
		}
	})
	touched := int64(0)
	for _, r := range s.mustRead(keys...) {
		if r.Present() {
			touched++
		}
	}
	wantWork(b, "keys that were written", touched, int64(min(b.N, len(keys))))
	wantWork(b, "what they added up to", s.total(keys...), int64(b.N))
}

func benchCommit(b *testing.B, s *storeTest) {
	keys := keysOf("a", "b", "c")
	for b.Loop() {
		if err := s.store.Commit(b.Context(), token(), []backend.Write{write(keys[0], add(1)), write(keys[1], add(1)), take(keys[2], unlimited)[0]}); err != nil {
			b.Fatal(err)
		}
	}
	wantWork(b, "what they added up to", s.total(keys...), int64(3*b.N))
}

func benchConflict(b *testing.B, s *storeTest) {
	s.mustPut(write(keyOf("b"), set(1)))
	for b.Loop() {
		err := s.store.Commit(b.Context(), token(), []backend.Write{write(keyOf("a"), add(1)), write(keyOf("b"), is(backend.Less, 1))})
		if !errors.Is(err, backend.ErrConflict) {
			b.Fatal(err)
		}
	}
	wantWork(b, "what was there before", s.total(keysOf("a", "b")...), 1)
}

func benchRead(b *testing.B, s *storeTest) { readLoop(b, s, 1) }

func benchReadMany(b *testing.B, s *storeTest) { readLoop(b, s, 100) }

func readLoop(b *testing.B, s *storeTest, size int) {
	var keys []backend.Key
	for i := range size {
		keys = append(keys, keyOf(fmt.Sprint(i)))
		s.mustPut(take(keys[i], unlimited)...)
	}
	out, sum := make([]backend.Record, size), int64(0)
	for b.Loop() {
		for i := range out {
			out[i].Reset(layout)
		}
		if err := s.store.Read(b.Context(), keys, out); err != nil {
			b.Fatal(err)
		}
		for i := range out {
			sum += out[i].Int64(slotN)
		}
	}
	wantWork(b, "records that were read", sum, int64(size*b.N))
}

func benchList(b *testing.B, s *storeTest) {
	const size = 100
	for i := range 2 * size {
		s.mustPut(write(keyOf(fmt.Sprintf("%03d", i)), set(i)))
	}
	listed := int64(0)
	for b.Loop() {
		page, err := s.store.List(b.Context(), backend.Query{Namespace: space, Partition: part, From: "050", Size: size})
		if err != nil || !page.More || page.Items[0].Sort != "050" {
			b.Fatal(page, err)
		}
		listed += int64(len(page.Items))
	}
	wantWork(b, "keys that were listed", listed, int64(size*b.N))
}
