package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// remote is a memory store that answers after 2 to 6 ms of virtual time, half of them before it acts.
type remote struct {
	backend.Backend
	lock   sync.Mutex
	random *rand.Rand
}

func (s *remote) travel() {
	s.lock.Lock()
	d := time.Millisecond + time.Duration(s.random.Int64N(int64(2*time.Millisecond)))
	s.lock.Unlock()
	<-time.NewTimer(d).C
}

func (s *remote) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	s.travel()
	defer s.travel()
	return s.Backend.Read(ctx, keys, out)
}

func (s *remote) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	s.travel()
	defer s.travel()
	return s.Backend.Apply(ctx, writes, out)
}

// TestCallersWithOtherLimits: callers that bring different limits for one bucket do not drive each other out of it.
func TestCallersWithOtherLimits(t *testing.T) {
	for _, callers := range []int{4, 32} {
		t.Run(fmt.Sprint(callers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				store := &remote{Backend: bare{memory.New(nil)}, random: rand.New(rand.NewPCG(seed, 1))}
				l, err := engine.New(store, &engine.Options{Now: func() time.Time { return time.Now().AddDate(30, 0, 0) }})
				must(t, err)
				defer l.Close()
				var left, contended atomic.Int64
				left.Store(10_000)
				var group sync.WaitGroup
				for i := range callers {
					r := ask(1, engine.PerSecond("a", 1_000_000))
					if i%2 == 1 {
						r.Consume, r.Limits = engine.Tokens{"b": 1}, []engine.Limit{engine.PerSecond("b", 1_000_000)}
					}
					group.Go(func() {
						for left.Add(-1) >= 0 {
							switch d, err := l.Allow(t.Context(), r); {
							case errors.Is(err, engine.ErrContention):
								contended.Add(1)
							case err != nil || !d.Allowed:
								t.Errorf("%+v, %v", d, err)
							}
						}
					})
				}
				group.Wait()
				equal(t, "contended", contended.Load(), 0)
			})
		})
	}
}

// TestOwnChangeIsSeen: whatever is read meanwhile, a process that has changed limits does not go back to the old ones.
func TestOwnChangeIsSeen(t *testing.T) {
	rounds := 1_000
	if raceDetector || testing.Short() {
		rounds = 300
	}
	w := newWorld(t)
	l := w.limiter(bare{w.store}, &engine.Options{Timeout: -1})
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 15 {
		group.Go(func() {
			for ctx.Err() == nil {
				_, err := l.Explain(t.Context(), "user-1", "gpt-4")
				must(t, err)
			}
		})
	}
	for n := range int64(rounds) {
		must(t, l.SetResourceDefaults(t.Context(), "gpt-4", []engine.Limit{engine.PerDay("a", 1+n)}))
		x, err := l.Explain(t.Context(), "user-1", "gpt-4")
		if must(t, err); x.Path[0].Limits[0].Capacity != 1+n {
			t.Errorf("round %d: %+v", n, x)
			break
		}
	}
	stop()
	group.Wait()
}
