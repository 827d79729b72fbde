package settle

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// TestNobodyIsLeftWaiting: settlements that meet charge all that was due, and afterwards the settler remembers no bucket.
func TestNobodyIsLeftWaiting(t *testing.T) {
	const now, leases = bucket.MinTime + int64(time.Hour), 50
	clock := func() int64 { return now }
	s := New(charge.New(charge.Options{
		Store:     store.New(store.Options{Backend: memory.New(nil), Now: clock, Sleep: pause.For, Logger: slog.Default()}),
		Namespace: "default", CacheSize: 1, Now: clock,
		CheckID: func(string, string) error { return nil },
		Report:  func(_ context.Context, r charge.Report) { t.Errorf("reported: %+v", r) },
	}))
	s.NoIO = false // the leases meet as they do over a store with I/O
	b, err := s.StateAt(&charge.ID{Entity: "e", Resource: "r"})
	if err != nil {
		t.Fatal(err)
	}
	set := limitset.Of([]bucket.Limit{{Name: "rpm", Capacity: 1000, RefillAmount: 1000, RefillPeriod: time.Minute}}, false)
	var group sync.WaitGroup
	for range leases {
		group.Go(func() {
			p := newPart(b, set, backend.Num{})
			p.adjust("rpm", 3)
			if err := s.Settle(t.Context(), p, now); err != nil || p.pending() {
				t.Errorf("it is not settled: %v", err)
			}
		})
	}
	group.Wait()
	r, err := s.Store.ReadOne(t.Context(), s.Key(b))
	if err != nil || r.Int64(schema.Used(0)) != 3*leases {
		t.Errorf("%d tokens are charged, not %d: %v", r.Int64(schema.Used(0)), 3*leases, err)
	}
	if len(s.waiting) != 0 {
		t.Errorf("%d buckets are remembered", len(s.waiting))
	}
}
