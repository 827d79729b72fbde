package follow

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// memoryStore is a memory store as the engine calls it.
type memoryStore struct{ *memory.Store }

func (s memoryStore) Read(ctx context.Context, keys []backend.Key) ([]backend.Record, error) {
	out := make([]backend.Record, len(keys))
	for i, k := range keys {
		out[i].Reset(schema.LayoutOf(k))
	}
	return out, s.Store.Read(ctx, keys, out)
}

// commit stores a number in the version of an entity's record, with an event.
func (s memoryStore) commit(t *testing.T, name, id string, version int64) {
	k, _ := schema.Entity(namespace, name)
	event, place := schema.Audit(namespace, name, id)
	err := s.Commit(t.Context(), [16]byte{}, []backend.Write{
		{Key: k, Layout: schema.EntityLayout, Effects: []backend.Effect{{Slot: schema.EntityVer, Op: backend.Set, Num: num.FromInt64(version)}}},
		{Key: event, Layout: schema.AuditLayout, Index: &place, Effects: []backend.Effect{{Slot: schema.AuditTime, Op: backend.Set}}},
	})
	if err != nil {
		t.Error(err)
	}
}

// TestConcurrent lets many goroutines of two processes use, change and refresh, while time passes. Nobody may ever see an
// older version than was stored more than a look ago.
func TestConcurrent(t *testing.T) {
	s := memoryStore{memory.New(nil)}
	var clock atomic.Int64
	clock.Store(newWorld(t).at)
	var work, looks sync.WaitGroup
	newProcess := func() *Follower {
		return New(Options{
			Store: s, Namespace: namespace, Interval: time.Second, TTL: time.Minute, Size: 50, Patience: time.Minute,
			Go: func(f func(context.Context)) bool {
				looks.Go(func() { f(context.Background()) })
				return true
			},
		})
	}
	a, b := newProcess(), newProcess()
	var stored [4]atomic.Int64
	work.Go(func() { // the writer
		for v := range int64(400) {
			i := int(v) % len(stored)
			b.Look(t.Context(), clock.Load(), time.Second)
			id, _ := b.NextID(clock.Load())
			s.commit(t, fmt.Sprint("e", i), id, v+1)
			b.Changed(entityOfName(fmt.Sprint("e", i)))
			b.Wrote(clock.Load(), id)
			stored[i].Store(v + 1)
			clock.Add(int64(100 * time.Millisecond))
		}
	})
	for g := range 8 {
		f := []*Follower{a, b}[g%2]
		work.Go(func() {
			for n := range 400 {
				i := n % len(stored)
				name, resource := fmt.Sprint("e", i), fmt.Sprint("r", n%20)
				before := stored[i].Load()
				if n%10 == 0 {
					f.Look(t.Context(), clock.Load(), 0)
				} else if err := f.Follow(t.Context(), clock.Load()); err != nil {
					t.Error(err)
				}
				c, seq, age := f.Get(name, resource, clock.Load())
				if age != Young {
					c, seq, _, _ = f.Fetch(t.Context(), name, resource, clock.Load())
				}
				if (n%10 == 0 || f == b) && c.Entity.Version < before {
					t.Errorf("version %d of %s, after %d was stored", c.Entity.Version, name, before)
				}
				f.Fresh(seq, clock.Load())
				if n%100 == 99 {
					_ = f.Refresh(t.Context(), clock.Load())
				}
			}
		})
	}
	work.Wait()
	looks.Wait()
	clock.Add(int64(time.Second))
	for _, f := range []*Follower{a, b} {
		f.Look(t.Context(), clock.Load(), time.Second)
		for i := range stored {
			c, _, _, err := f.Fetch(t.Context(), fmt.Sprint("e", i), "r", clock.Load())
			if err != nil || c.Entity.Version != stored[i].Load() {
				t.Errorf("e%d: version %d, %v; want %d", i, c.Entity.Version, err, stored[i].Load())
			}
		}
	}
}
