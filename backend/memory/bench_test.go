package memory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
)

// bucket is a layout as large as a bucket of two limits: eleven numbers and a string.
var bucket = backend.NewLayout("bucket", bucketFields()...)

func bucketFields() []backend.Field {
	fields := []backend.Field{{Name: "L", Kind: backend.Bytes}}
	for i := range 11 {
		fields = append(fields, backend.Field{Name: fmt.Sprintf("n%d", i)})
	}
	return fields
}

// acquire is a write such as an acquire sends: five conditions, nine effects.
func acquire(k backend.Key) backend.Write {
	w := backend.Write{Key: k, Layout: bucket, Expiry: 1_900_000_000}
	w.Conds = []backend.Cond{
		{Slot: bucket.MustSlot("L"), Op: backend.Equal, OrAbsent: true, Text: limits},
		{Slot: 0, Op: backend.Between, OrAbsent: true, B: backend.Int(1 << 60)},
		{Slot: 1, Op: backend.Between, OrAbsent: true, B: backend.Int(1 << 60)},
		{Slot: 2, Op: backend.AtMost, OrAbsent: true, A: backend.Int(1 << 61)},
		{Slot: 3, Op: backend.NotEqual, A: backend.Int(-7)},
	}
	w.Effects = []backend.Effect{
		{Slot: 9, Op: backend.Set, Num: backend.Int(-1 << 40)},
		{Slot: 0, Op: backend.Add, Num: backend.Int(3)},
		{Slot: 1, Op: backend.Add, Num: backend.Int(3)},
		{Slot: 4, Op: backend.Add, Num: backend.Int(1)},
		{Slot: 5, Op: backend.Add, Num: backend.Int(1)},
		{Slot: 6, Op: backend.Set, Num: backend.Int(1 << 50)},
		{Slot: 7, Op: backend.Set, Num: backend.Int(1 << 51)},
		{Slot: 8, Op: backend.SetIfAbsent, Num: backend.Int(9)},
		{Slot: 10, Op: backend.Add, Num: backend.Int(1)},
	}
	return w
}

const limits = "1rpm:1000/1000/60;tpm:100000/100000/60"

func BenchmarkHot(b *testing.B) {
	s, out := memory.New(nil), make([]backend.Outcome, 1)
	writes := []backend.Write{acquire(backend.Key{Namespace: "default", Partition: "b/user-000001/api", Sort: "b"})}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Apply(ctx, writes, out); err != nil || !out[0].Applied {
			b.Fatal(err, out[0].Applied)
		}
	}
}

func BenchmarkHotNoMemo(b *testing.B) {
	s, out := memory.New(nil), make([]backend.Outcome, 1)
	writes := []backend.Write{acquire(backend.Key{Namespace: "default", Partition: "b/user-000001/api", Sort: "b"})}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		writes[0].Memo = nil
		if err := s.Apply(ctx, writes, out); err != nil || !out[0].Applied {
			b.Fatal(err, out[0].Applied)
		}
	}
}

// BenchmarkSpread writes to 100,000 records in no order, more than the processor's caches hold.
func BenchmarkSpread(b *testing.B) {
	s, out := memory.New(nil), make([]backend.Outcome, 1)
	writes := make([]backend.Write, 1)
	keys, memos := make([]backend.Key, 100_000), make([]backend.Memo, 100_000)
	for i := range keys {
		keys[i] = backend.Key{Namespace: "default", Partition: fmt.Sprintf("b|e|user-%07d|api/v1", i), Sort: "bucket"}
		writes[0] = acquire(keys[i])
		if err := s.Apply(b.Context(), writes, out); err != nil {
			b.Fatal(err)
		}
		memos[i] = writes[0].Memo
	}
	random := rand.New(rand.NewPCG(1, 2))
	ctx := context.Background()
	for b.Loop() {
		i := random.IntN(len(keys))
		writes[0].Key, writes[0].Memo = keys[i], memos[i]
		if err := s.Apply(ctx, writes, out); err != nil || !out[0].Applied {
			b.Fatal(err, out[0].Applied)
		}
	}
}

func BenchmarkValidateBody(b *testing.B) {
	w := acquire(backend.Key{Namespace: "default", Partition: "b/user-000001/api", Sort: "b"})
	for b.Loop() {
		if err := w.ValidateBody(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTry(b *testing.B) {
	w := acquire(backend.Key{Namespace: "default", Partition: "b/user-000001/api", Sort: "b"})
	var r backend.Record
	r.Reset(bucket)
	for b.Loop() {
		if applied, err := backend.CheckAndApply(&r, &w); !applied || err != nil {
			b.Fatal(applied, err)
		}
	}
}

// TestHeap holds the store to its promise of at most 360 bytes for a live bucket of two limits, all in.
func TestHeap(t *testing.T) {
	before := heap()
	s := filled(t, 100_000)
	each := float64(heap()-before) / 100_000
	if t.Logf("%.0f bytes per record", each); each > 360 {
		t.Errorf("%.0f bytes per record", each)
	}
	runtime.KeepAlive(s)
}

// BenchmarkCollect is a full garbage collection with a million live buckets.
func BenchmarkCollect(b *testing.B) {
	before := heap()
	s := filled(b, 1_000_000)
	each := float64(heap()-before) / 1e6
	for b.Loop() {
		runtime.GC()
	}
	b.ReportMetric(each, "bytes/record")
	runtime.KeepAlive(s)
}

// filled is a store with n buckets that have a value in every field.
func filled(t testing.TB, n int) *memory.Store {
	s, out := memory.New(nil), make([]backend.Outcome, 1)
	for i := range n {
		partition := fmt.Sprintf("b|e|user-%07d|api/v1", i)
		w := acquire(backend.Key{Namespace: "default", Partition: partition, Sort: "bucket"})
		w.Index = &backend.Place{Partition: partition[2:16], Sort: partition[17:]}
		w.Effects = append(w.Effects, backend.Effect{Slot: 2, Op: backend.Set}, backend.Effect{Slot: 3, Op: backend.Set},
			backend.Effect{Slot: bucket.MustSlot("L"), Op: backend.Set, Text: limits})
		if err := s.Apply(t.Context(), []backend.Write{w}, out); err != nil || !out[0].Applied {
			t.Fatal(err, out[0].Applied)
		}
	}
	return s
}

func heap() int64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
