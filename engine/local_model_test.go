package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// TestModelLocal: two processes lose the store and find it again, each on its own, while callers bring different limits of one bucket
// and settle their leases late. Nothing refills. When all is settled and written back, each token is charged and counted once, and so
// is each acquire. In half of the runs requests and replies are lost, too. Then a write may be made twice, if others have written since, but nothing
// that was admitted is missing.
func TestModelLocal(t *testing.T) {
	t.Parallel()
	const seeds = 300
	local, lost, losses := 0, 0, 0
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			m := newLocalModel(t, seed)
			for range 60 {
				m.step()
			}
			m.end()
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
			local += m.local
			if losses += int(m.losses.Load()); m.lost && !m.lossy {
				lost++
			}
		})
		if t.Failed() {
			return
		}
	}
	if local < 10*seeds || lost > seeds/10 || losses < 2*seeds {
		t.Errorf("%d acquires were admitted without the store, %d requests or replies were lost, and %d of %d other runs lost something", local, losses, lost, seeds)
	}
}

// localModel has two processes over one store, and what the bucket must have in the end.
type localModel struct {
	t      *testing.T
	rng    *rand.Rand
	store  *memory.Store
	down   [2]atomic.Bool
	l      [2]*engine.Limiter
	stored []engine.Limit
	leases []*modelLease

	lossy  bool // requests and replies are lost
	ending atomic.Bool
	calls  atomic.Uint64
	losses atomic.Int64 // requests and replies that were lost

	lock     sync.Mutex // guards what follows
	used     map[string]int64
	lost     bool
	local    int // acquires that were admitted without the store
	acquires int64
}

// modelLease is a lease, with what it will have consumed once it is settled.
type modelLease struct {
	*engine.Lease
	held  engine.Tokens
	end   func(context.Context) error // Commit or Rollback
	ended bool                        // end was called; it may have failed
}

// modelNow is the time of the bubble, which begins in 2000.
func modelNow() time.Time { return time.Now().AddDate(26, 0, 0) }

// lasting is a limit that does not refill while the test runs.
func lasting(name string) engine.Limit {
	return engine.Limit{Name: name, Capacity: 1e6, RefillAmount: 1, RefillPeriod: 3650 * 24 * time.Hour}
}

func newLocalModel(t *testing.T, seed uint64) *localModel {
	m := &localModel{t: t, rng: rand.New(rand.NewPCG(seed, 19)), store: memory.New(nil), used: map[string]int64{}}
	prefetch := m.rng.IntN(2) == 0
	m.lossy = m.rng.IntN(2) == 0
	for i := range m.l {
		around := func(ctx context.Context, _ backend.Call, next func(context.Context) error) error {
			if m.down[i].Load() {
				return backend.ErrUnavailable
			}
			request, reply := m.loses()
			if request {
				return backend.ErrOutcomeUnknown
			}
			if err := next(ctx); err != nil || !reply {
				return err
			}
			return backend.ErrOutcomeUnknown
		}
		o := &engine.Options{
			OnUnavailable: engine.PolicyLocal, LocalShare: .1, Now: modelNow, Logger: slog.New(slog.DiscardHandler),
			CacheSize: 1 + m.rng.IntN(3), Observer: m,
		}
		if prefetch {
			o.Prefetch = &engine.PrefetchOptions{}
		}
		var err error
		m.l[i], err = engine.New(backend.Wrap(m.store, &backend.WrapOptions{Around: around}), o)
		must(t, err)
	}
	if m.rng.IntN(2) == 0 {
		m.stored = []engine.Limit{lasting("a"), lasting("b")}
		must(t, m.l[0].SetLimits(t.Context(), "e", "r", m.stored))
		must(t, m.l[1].Refresh(t.Context()))
	}
	return m
}

// loses reports whether the request of the next call is lost, or the reply to it: in every eighth call one of them.
func (m *localModel) loses() (request, reply bool) {
	const odd = 0x9E3779B97F4A7C15 // spreads them
	if !m.lossy || m.ending.Load() {
		return false, false
	}
	lot := m.calls.Add(1) * odd >> 60
	if lot < 2 {
		m.losses.Add(1)
	}
	return lot == 0, lot == 1
}

// Observe implements [engine.Observer]. What waits for a write when other limits begin to count is lost if the store is away then. If nothing
// else is lost, it is known exactly.
func (m *localModel) Observe(e engine.Event) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if e.Kind == engine.EventDecision && e.Allowed && e.Degraded {
		m.local++
	}
	lost := e.Kind == engine.EventUsageLost || e.Kind == engine.EventRefundLost
	m.lost = m.lost || lost
	for name, n := range e.Tokens {
		switch {
		case e.Kind == engine.EventUsageLost:
			m.used[name] -= n
		case lost && !m.lossy: // else it may have been refunded
			m.used[name] += n
		}
	}
}

// uses adds to what is used.
func (m *localModel) uses(name string, n int64) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.used[name] += n
}

func (m *localModel) step() {
	switch i := m.rng.IntN(2); m.rng.IntN(10) {
	case 0:
		m.down[i].Store(!m.down[i].Load())
	case 1, 2:
		must(m.t, pause.For(m.t.Context(), time.Duration(m.rng.Int64N(int64(20*time.Second)))))
	case 3, 4:
		if n := len(m.leases); n > 0 {
			m.settle(m.leases[m.rng.IntN(n)])
		}
	default:
		m.acquire(m.l[i])
	}
}

// acquire brings some limits, for a part of which it asks tokens.
func (m *localModel) acquire(l *engine.Limiter) {
	q := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{}}
	var limits []engine.Limit
	for _, name := range []string{"a", "b", "c"} {
		if m.rng.IntN(2) == 0 {
			limits = append(limits, lasting(name))
		}
	}
	counts := limits
	switch {
	case len(limits) == 0:
		limits, counts = []engine.Limit{lasting("a")}, []engine.Limit{lasting("a")}
		q.Limits = limits
	case m.rng.IntN(4) == 0:
		q.Override = limits
	default:
		q.Limits = limits
	}
	if m.stored != nil && q.Override == nil {
		counts = m.stored
	}
	for _, limit := range counts {
		if m.rng.IntN(3) > 0 {
			q.Consume[limit.Name] = 1 + m.rng.Int64N(3)
		}
	}
	if len(q.Consume) == 0 {
		return
	}
	lease, err := l.Acquire(m.t.Context(), q)
	switch {
	case errors.Is(err, engine.ErrUnavailable), errors.Is(err, engine.ErrUnknownLimit): // this process does not know what is stored
		return
	case err != nil:
		m.t.Errorf("Acquire of %+v: %v", q, err)
		return
	}
	m.leases = append(m.leases, &modelLease{lease, q.Consume, lease.Commit, false})
	for name, n := range q.Consume {
		m.uses(name, n)
	}
	m.acquires++
}

// settle adjusts a lease, and commits it, rolls it back, or leaves it open. What fails, because the store is away, is done again in the
// end.
func (m *localModel) settle(lease *modelLease) {
	for _, name := range []string{"a", "b", "c"} {
		n := lease.held[name]
		if n == 0 || lease.ended || m.rng.IntN(2) == 0 {
			continue
		}
		delta := m.rng.Int64N(n+4) - n
		must(m.t, lease.Adjust(engine.Tokens{name: delta}))
		lease.held[name] += delta
		m.uses(name, delta)
	}
	switch {
	case lease.ended:
	case m.rng.IntN(4) == 0:
		lease.ended, lease.end = true, lease.Rollback
		for name, n := range lease.held {
			m.uses(name, -n)
		}
		_ = lease.end(m.t.Context())
	case m.rng.IntN(2) == 0:
		lease.ended = true
		_ = lease.end(m.t.Context())
	}
}

// end settles all, and compares what is in the store.
func (m *localModel) end() {
	m.ending.Store(true)
	for i := range m.down {
		m.down[i].Store(false)
	}
	must(m.t, pause.For(m.t.Context(), time.Minute))
	for _, lease := range m.leases {
		if err := lease.end(m.t.Context()); !errors.Is(err, engine.ErrLeaseClosed) {
			must(m.t, err)
		}
	}
	for _, l := range m.l {
		must(m.t, l.Close())
	}
	l, err := engine.New(m.store, &engine.Options{Now: modelNow})
	must(m.t, err)
	defer l.Close()
	all, err := l.BucketStates(m.t.Context(), []engine.BucketName{{Entity: "e", Resource: "r"}})
	must(m.t, err)
	if m.acquires == 0 {
		return
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	if len(all) != 1 || !m.lost && (all[0].Acquires < m.acquires || all[0].Acquires > m.acquires && !m.lossy) {
		m.t.Fatalf("%+v, not %d acquires", all, m.acquires)
	}
	found := map[string]int64{}
	for _, s := range all[0].Limits {
		found[s.Limit.Name] = s.Used
		if charged := s.Limit.Capacity - s.Available; charged < s.Used || charged > s.Used && !(m.lossy && m.lost) {
			m.t.Errorf("of %s, %d tokens are charged and %d counted", s.Limit.Name, charged, s.Used)
		}
	}
	for name, n := range m.used {
		if found[name] < n || found[name] > n && !m.lossy {
			m.t.Errorf("of %s, %d tokens are counted, not %d", name, found[name], n)
		}
	}
}
