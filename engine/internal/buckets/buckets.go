package buckets

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// State is the state of a bucket in the store.
type State struct {
	Entity, Resource string
	Acquires         int64
	Version          int64
	WrittenAt        time.Time // by the last writer's clock
	Limits           []Limit   // by name, as of the last write
}

// Limit is one limit of a bucket.
type Limit struct {
	Limit      bucket.Limit
	Brought    bool          // given by a request, not configured
	Available  int64         // tokens now; negative in debt
	Used       int64         // tokens consumed and not refunded so far
	RetryAfter time.Duration // until this limit admits one token; 0 if it does now
}

// Reader reads buckets. Safe for concurrent use.
type Reader struct {
	Store     *store.Store
	LimitSets *limitset.Cache
}

// Scan reads buckets of a namespace from a position on, until it has found at least one. It returns the next position, "" at the end.
// The store must be able to scan.
func (b *Reader) Scan(ctx context.Context, namespace, position string, size int, now int64) ([]State, string, error) {
	for {
		keys, next, err := b.Store.Scan(ctx, namespace, position, size)
		if err != nil {
			return nil, "", err
		}
		states, err := b.States(ctx, keys, now)
		if err != nil || len(states) > 0 || next == "" {
			return states, next, err
		}
		position = next
	}
}

// States reads the buckets among the keys.
func (b *Reader) States(ctx context.Context, keys []backend.Key, now int64) (states []State, err error) {
	keysOf := make([]backend.Key, 0, len(keys))
	for _, k := range keys {
		if _, _, ok := schema.BucketOf(k); ok {
			keysOf = append(keysOf, k)
		}
	}
	if len(keysOf) == 0 {
		return nil, nil
	}
	out, unreadable, err := b.Store.ReadMany(ctx, keysOf)
	if err != nil {
		return nil, err
	}
	var skip store.Skipped
	for i := range out {
		s, exists, err := b.State(keysOf[i], &out[i], now)
		if err = cmp.Or(unreadable[i], err); err != nil {
			skip.Add(1, err)
		} else if exists {
			states = append(states, s)
		}
	}
	b.Store.Report(ctx, skip)
	return states, nil
}

// State decodes a record; false if there is none or if it has expired.
func (b *Reader) State(key backend.Key, r *backend.Record, now int64) (s State, exists bool, err error) {
	if !r.Present() || store.Expired(r.Expiry(), now) {
		return s, false, nil
	}
	packed, _ := r.Text(schema.L)
	p, err := b.LimitSets.Get(packed)
	if err != nil {
		return s, false, fmt.Errorf("%w: %w", store.ErrSchema, err)
	}
	s = State{
		Acquires: r.Int64(schema.Acq), Version: r.Int64(schema.Ver), WrittenAt: changes.Instant(r.Int64(schema.At)),
		Limits: make([]Limit, len(p.Terms)),
	}
	s.Entity, s.Resource, _ = schema.BucketOf(key)
	for i := range p.Terms {
		rate, a := &p.Rates[i], limitset.ArrivalOf(r, i)
		wait, _ := rate.Wait(a, now, 1)
		s.Limits[i] = Limit{
			Limit: p.Terms[i].Limit, Brought: p.Terms[i].Brought,
			Available: rate.Available(a, rate.Y(now)), Used: r.Int64(schema.Used(i)), RetryAfter: wait,
		}
	}
	return s, true, nil
}
