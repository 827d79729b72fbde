package bolt_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

var background = context.Background()

var bucket = backend.NewLayout("bucket", bucketFields()...)

func bucketFields() []backend.Field {
	fields := []backend.Field{{Name: "l", Kind: backend.Bytes}}
	for i := range 11 {
		fields = append(fields, backend.Field{Name: fmt.Sprintf("n%d", i)})
	}
	return fields
}

// acquire is a write such as an acquire sends: five conditions, nine effects.
func acquire(k backend.Key) backend.Write {
	const limits = "1rpm:1000/1000/60;tpm:100000/100000/60"
	w := backend.Write{Key: k, Layout: bucket, Expiry: 1_900_000_000, Index: &backend.Place{Partition: "e", Sort: "s"}}
	w.Conds = []backend.Cond{
		{Slot: bucket.MustSlot("l"), Op: backend.Equal, OrAbsent: true, Text: limits},
		{Slot: 0, Op: backend.Between, OrAbsent: true, B: backend.Int(1 << 60)},
		{Slot: 1, Op: backend.Between, OrAbsent: true, B: backend.Int(1 << 60)},
		{Slot: 2, Op: backend.AtMost, OrAbsent: true, A: backend.Int(1 << 61)},
		{Slot: 3, Op: backend.NotEqual, A: backend.Int(-7)},
	}
	w.Effects = []backend.Effect{
		{Slot: bucket.MustSlot("l"), Op: backend.Set, Text: limits},
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

func keyOf(i int) backend.Key {
	return backend.Key{Namespace: "default", Partition: fmt.Sprintf("b|e|user-%07d|api", i), Sort: "bucket"}
}

// many has 64 goroutines do b.N times what do does with a number below keys.
func many(b *testing.B, keys int, do func(i int) error) {
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range 64 {
		group.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := do(int(i*7919) % keys); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// raw is what a program does that uses bbolt itself: read, add, store.
func raw(b *testing.B, keys int) (*bbolt.DB, func(i int) func(*bbolt.Tx) error) {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "raw"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	name := []byte("b")
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(name); return err }); err != nil {
		b.Fatal(err)
	}
	add := func(i int) func(*bbolt.Tx) error {
		k := keyOf(i)
		return func(tx *bbolt.Tx) error {
			key, value := []byte(k.Namespace+k.Partition+k.Sort), make([]byte, 200)
			if old := tx.Bucket(name).Get(key); old != nil {
				binary.BigEndian.PutUint64(value, binary.BigEndian.Uint64(old)+1)
			}
			return tx.Bucket(name).Put(key, value)
		}
	}
	for i := 0; i < keys; i += 1000 {
		err = db.Update(func(tx *bbolt.Tx) error {
			for j := i; j < min(i+1000, keys); j++ {
				if err := add(j)(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return db, add
}

// filled is a store in which all keys are there.
func filled(b *testing.B, keys int) *bolt.Store {
	s := mustOpen(b, filepath.Join(b.TempDir(), "store"), nil)
	for i := 0; i < keys; i += 1000 {
		var writes []backend.Write
		for j := i; j < min(i+1000, keys); j++ {
			writes = append(writes, acquire(keyOf(j)))
		}
		if err := s.Apply(b.Context(), writes, make([]backend.Outcome, len(writes))); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	return s
}

func BenchmarkDurable(b *testing.B) {
	for _, keys := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("keys=%d/one/raw", keys), func(b *testing.B) {
			db, add := raw(b, keys)
			b.ResetTimer()
			for i := range b.N {
				if err := db.Update(add(i * 7919 % keys)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("keys=%d/one/store", keys), func(b *testing.B) {
			s := filled(b, keys)
			out := make([]backend.Outcome, 1)
			b.ResetTimer()
			for i := range b.N {
				if err := s.Apply(context.Background(), []backend.Write{acquire(keyOf(i * 7919 % keys))}, out); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("keys=%d/many/update", keys), func(b *testing.B) {
			db, add := raw(b, keys)
			many(b, keys, func(i int) error { return db.Update(add(i)) })
		})
		b.Run(fmt.Sprintf("keys=%d/many/batch", keys), func(b *testing.B) {
			db, add := raw(b, keys)
			many(b, keys, func(i int) error { return db.Batch(add(i)) })
		})
		b.Run(fmt.Sprintf("keys=%d/many/store", keys), func(b *testing.B) {
			s := filled(b, keys)
			many(b, keys, func(i int) error {
				return s.Apply(context.Background(), []backend.Write{acquire(keyOf(i))}, make([]backend.Outcome, 1))
			})
		})
	}
}

// BenchmarkDenial is a refused write, which needs no sync.
func BenchmarkDenial(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "store"), &bolt.Options{})
	w, out := []backend.Write{acquire(keyOf(1))}, make([]backend.Outcome, 1)
	w[0].Conds = append(w[0].Conds, backend.Cond{Slot: 9, Op: backend.Present})
	for b.Loop() {
		if err := s.Apply(context.Background(), w, out); err != nil || out[0].Applied {
			b.Fatal(err, out[0].Applied)
		}
	}
}
