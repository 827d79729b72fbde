package engine_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/zeroae/zae-limiter-go/internal/alltests"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// fleet is processes that share a bucket, in virtual time.
type fleet struct {
	*testing.T
	store     *distant
	limits    []engine.Limit
	limiters  []*engine.Limiter
	seed      uint64
	stored    bool  // the limits are stored; requests bring none
	tolerates error // requests may end so

	// each makes a request, and returns how many tokens it holds in the end. nil: Allow.
	each func(l *engine.Limiter, q engine.Request, random func() float64) (int64, error)

	lock     sync.Mutex
	random   *rand.Rand
	asked    int64     // requests
	granted  int64     // requests
	admitted int64     // tokens
	handed   []*excess // by limit
}

// distant is a memory store whose writes take 4 to 15 ms, and that knows as little as DynamoDB.
type distant struct {
	backend.Backend
	lock   sync.Mutex
	random *rand.Rand
	writes []atomic.Int64 // by process
	away   atomic.Bool
	dead   []atomic.Bool // by process: its writes no longer arrive
	hot    atomic.Int64  // so many of a hundred writes are throttled
	lost   atomic.Int64  // so many of a hundred replies are lost
}

// far is the store as one process sees it.
type far struct {
	*distant
	process int
}

// Capabilities implements [backend.Backend].
func (s far) Capabilities() backend.Capabilities {
	c := s.Backend.Capabilities()
	c.NoIO, c.Max, c.HonorsContext = false, false, true
	return c
}

// Apply implements [backend.Backend].
func (s far) Apply(ctx context.Context, writes []backend.Write, outs []backend.Outcome) error {
	if s.away.Load() || s.dead[s.process].Load() {
		return backend.ErrUnavailable
	}
	s.writes[s.process].Add(1)
	s.lock.Lock()
	throttled, lost := s.random.Int64N(100) < s.hot.Load(), s.random.Int64N(100) < s.lost.Load()
	there, back := 2e6+s.random.Int64N(5e6), 2e6+s.random.Int64N(6e6)
	s.lock.Unlock()
	_ = pause.For(context.Background(), time.Duration(there))
	if throttled {
		return backend.ErrThrottled
	}
	err := s.Backend.Apply(ctx, writes, outs)
	_ = pause.For(context.Background(), time.Duration(back))
	if lost {
		return backend.ErrOutcomeUnknown
	}
	return err
}

// shifted is virtual time, which begins before the years that the engine accepts.
func shifted() time.Time { return time.Now().AddDate(30, 0, 0) }

// excess is the most that was admitted in any interval beyond the capacity and what refilled in it, in tokens.
type excess struct {
	rate, capacity   float64
	sum, least, most float64
	began            time.Time
}

func newExcess(l engine.Limit, now time.Time) *excess {
	return &excess{rate: float64(l.RefillAmount) / l.RefillPeriod.Seconds(), capacity: float64(l.Capacity), began: now}
}

// hand counts tokens that are admitted now.
func (e *excess) hand(n int64) {
	refilled := time.Since(e.began).Seconds() * e.rate
	e.least = min(e.least, e.sum-refilled)
	e.sum += float64(n)
	e.most = max(e.most, e.sum-refilled-e.least-e.capacity)
}

// newFleet makes processes over one bucket. It must be called in virtual time.
func newFleet(t *testing.T, processes int, seed uint64, o engine.PrefetchOptions, limits ...engine.Limit) *fleet {
	f := &fleet{T: t, limits: limits, seed: seed, random: rand.New(rand.NewPCG(seed, 0))}
	f.store = &distant{Backend: memory.New(nil), random: rand.New(rand.NewPCG(seed, 1)), writes: make([]atomic.Int64, processes), dead: make([]atomic.Bool, processes)}
	for _, l := range limits {
		f.handed = append(f.handed, newExcess(l, time.Now()))
	}
	for i := range processes {
		l, err := engine.New(far{f.store, i}, &engine.Options{Prefetch: &o, Now: shifted, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		f.limiters = append(f.limiters, l)
	}
	return f
}

// request is what every caller asks for.
func (f *fleet) request() engine.Request {
	r := engine.Request{Entity: "tenant", Resource: "api", Limits: f.limits, Consume: engine.Tokens{}}
	for _, l := range f.limits {
		r.Consume[l.Name] = 1
	}
	return r
}

// run lets each process ask so many times a second, at random instants, for so long.
func (f *fleet) run(perSecond float64, d time.Duration) {
	var all sync.WaitGroup
	for i, l := range f.limiters {
		random := rand.New(rand.NewPCG(f.seed, uint64(i+2)))
		all.Go(func() {
			for until := time.Now().Add(d); time.Now().Before(until); {
				_ = pause.For(context.Background(), time.Duration(random.ExpFloat64()/perSecond*1e9))
				all.Go(func() { f.ask(l) })
			}
		})
	}
	all.Wait()
}

func (f *fleet) ask(l *engine.Limiter) {
	q := f.request()
	if f.stored {
		q.Limits = nil
	}
	n, err := f.make(l, q)
	f.lock.Lock()
	defer f.lock.Unlock()
	f.asked++
	switch {
	case err == nil:
		f.granted++
		f.admitted += n
		for _, e := range f.handed {
			e.hand(n)
		}
	case errors.Is(err, errDenied), errors.As(err, new(*engine.ExceededError)):
	case f.tolerates == nil || !errors.Is(err, f.tolerates):
		f.Errorf("seed %d: %v", f.seed, err)
	}
}

var errDenied = errors.New("denied")

func (f *fleet) make(l *engine.Limiter, q engine.Request) (int64, error) {
	if f.each != nil {
		return f.each(l, q, f.draw)
	}
	d, err := l.Allow(context.Background(), q)
	if err == nil && !d.Allowed {
		err = errDenied
	}
	return 1, err
}

// draw is a number from 0 to 1.
func (f *fleet) draw() float64 {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.random.Float64()
}

// writes are those of all processes, and of the busiest one.
func (f *fleet) writes() (all, most int64) {
	for i := range f.store.writes {
		n := f.store.writes[i].Load()
		all, most = all+n, max(most, n)
	}
	return all, most
}

// close closes all processes.
func (f *fleet) close() {
	f.Helper()
	for _, l := range f.limiters {
		if err := l.Close(); err != nil {
			f.Error(err)
		}
	}
}

// reader is another process, in exact mode and without delay.
func (f *fleet) reader() *engine.Limiter {
	l, err := engine.New(f.store.Backend, &engine.Options{Now: shifted})
	if err != nil {
		f.Fatal(err)
	}
	return l
}

// settle closes all processes and compares the record with what was admitted.
func (f *fleet) settle() {
	f.Helper()
	f.close()
	states, err := f.reader().BucketStates(context.Background(), []engine.BucketName{{Entity: "tenant", Resource: "api"}})
	if err != nil {
		f.Fatal(err)
	}
	if len(states) == 0 {
		f.Fatal("the bucket has no record")
	}
	for _, s := range states[0].Limits {
		if s.Used != f.admitted {
			f.Errorf("seed %d: %s: usage of %d is recorded, %d was admitted", f.seed, s.Limit.Name, s.Used, f.admitted)
		}
	}
	if states[0].Acquires != f.granted {
		f.Errorf("seed %d: %d acquires are recorded, %d were admitted", f.seed, states[0].Acquires, f.granted)
	}
}

// conserved compares what is available, once all is quiet, with what was admitted since the bucket was full, which was
// before. No token is made up; none is missing either, unless refunds may be lost.
func (f *fleet) conserved(since time.Time, admitted int64, mayLose bool) {
	f.Helper()
	states, err := f.reader().BucketStates(context.Background(), []engine.BucketName{{Entity: "tenant", Resource: "api"}})
	if err != nil {
		f.Fatal(err)
	}
	got, l := states[0].Limits[0].Available, f.limits[0]
	refilled := int64(time.Since(since).Seconds()*float64(l.RefillAmount)/l.RefillPeriod.Seconds()) + 1
	if most := l.Capacity - admitted + refilled; got > most || !mayLose && got < most-refilled {
		f.Errorf("seed %d: %d are available, of %d, after %d were admitted and %d refilled", f.seed, got, l.Capacity, admitted, refilled)
	}
}

// withinBound wants no interval to have admitted more than capacity and rate·(T + MaxAge).
func (f *fleet) withinBound(age time.Duration) {
	f.Helper()
	for i, e := range f.handed {
		if most := e.rate * age.Seconds(); e.most > most {
			f.Errorf("seed %d: %.1f tokens of %s beyond capacity + rate·T, %.1f are allowed", f.seed, e.most, f.limits[i].Name, most)
		}
	}
}

// TestPrefetchFleet is hot buckets of ten processes, from a tenth of the rate to ten times the rate.
func TestPrefetchFleet(t *testing.T) {
	alltests.Only(t)
	const processes, rate = 10, 1000.0
	for _, utilisation := range []float64{0.1, 0.5, 0.9, 1.1, 3, 10} {
		t.Run(fmt.Sprint(utilisation), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64() >> 32
			synctest.Test(t, func(t *testing.T) {
				limit := engine.PerSecond("rps", rate)
				f := newFleet(t, processes, seed, engine.PrefetchOptions{}, limit)
				const seconds = 8
				f.run(utilisation*rate/processes, seconds*time.Second)
				all, most := f.writes()
				ideal := min(utilisation, 1)*rate*seconds + min(1, max(0, utilisation-1)*seconds)*rate
				t.Logf("seed %d: %d of %d admitted (%.3f of the possible), %.3f writes per admission, the busiest process %.1f a second, excess %.1f",
					seed, f.admitted, f.asked, float64(f.admitted)/min(ideal, float64(f.asked)), float64(all)/float64(f.admitted), float64(most)/seconds, f.handed[0].most)
				if perSecond := float64(most) / seconds; perSecond > 25 {
					t.Errorf("seed %d: %.1f writes a second by one process", seed, perSecond)
				}
				f.withinBound(time.Second)
				f.settle()
			})
		})
	}
}
