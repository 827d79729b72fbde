package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// inFleet tells a story of a fleet with prefetch, in virtual time.
func inFleet(t *testing.T, name string, processes int, tell func(f *fleet), limits ...engine.Limit) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		seed := rand.Uint64() >> 32
		synctest.Test(t, func(t *testing.T) {
			t.Logf("seed %d", seed)
			tell(newFleet(t, processes, seed, engine.PrefetchOptions{}, limits...))
		})
	})
}

// TestPrefetch tells what else holds with prefetch than the figures of a hot bucket.
func TestPrefetch(t *testing.T) {
	rps := engine.PerSecond("rps", 1000)
	inFleet(t, "OneProcess", 1, prefetchOne, engine.PerSecond("rps", 5000))
	inFleet(t, "Small", 8, prefetchSmall, engine.PerMinute("rpm", 10))
	inFleet(t, "TwoLimits", 10, prefetchTwo, rps, engine.PerSecond("other", 4000))
	inFleet(t, "Leases", 10, prefetchLeases, rps)
	inFleet(t, "Conversion", 5, prefetchConversion, rps)
	inFleet(t, "Reset", 5, prefetchReset, rps)
	inFleet(t, "Outage", 3, prefetchOutage, rps)
	inFleet(t, "Throttled", 3, prefetchThrottled, rps)
	inFleet(t, "Crash", 10, prefetchCrash, rps)
	inFleet(t, "Conserves", 4, func(f *fleet) { prefetchConserves(f, 0) }, engine.PerDay("rps", 50_000))
	inFleet(t, "LostReplies", 4, func(f *fleet) { prefetchConserves(f, 5) }, engine.PerDay("rps", 50_000))
	inFleet(t, "OldLife", 4, prefetchOldLife, engine.PerDay("rps", 50_000))
	inFleet(t, "Idle", 1, prefetchIdle, rps)
	inFleet(t, "Parents", 4, prefetchParents, rps)
	inFleet(t, "TimeUntilAvailable", 1, prefetchTimeUntil, rps)
}

// prefetchOne: 1,000 acquires a second in one process, of a limit that is not reached.
func prefetchOne(f *fleet) {
	f.run(1000, 20*time.Second)
	all, _ := f.writes()
	each := float64(all) / float64(f.admitted)
	if f.Logf("%.4f writes an acquire", each); f.admitted != f.asked || each > 0.02 {
		f.Errorf("%d of %d admitted, %.4f writes an acquire, 0.02 are allowed", f.admitted, f.asked, each)
	}
	f.settle()
}

// prefetchSmall: ten a minute for eight processes: all of them are admitted, none is left in a pocket.
func prefetchSmall(f *fleet) {
	began := time.Now()
	f.run(1, 5*time.Minute) // and some seconds more, until the last request
	if want := 10 + int64(time.Since(began)/(6*time.Second)); f.admitted < want-1 || f.admitted > want {
		f.Errorf("%d were admitted, not %d", f.admitted, want)
	}
	f.settle()
}

// prefetchTwo: the first limit denies nearly everything, the second one is not exceeded either.
func prefetchTwo(f *fleet) {
	f.run(500, 5*time.Second)
	f.withinBound(time.Second)
	f.settle()
}

// prefetchLeases: 70 % of the leases refund, the others charge more.
func prefetchLeases(f *fleet) {
	f.each = corrects
	f.run(20, 10*time.Second)
	f.settle()
}

// corrects acquires ten tokens, and holds seven or twelve of them in the end.
func corrects(l *engine.Limiter, q engine.Request, random func() float64) (admitted int64, err error) {
	q.Consume = tokens("rps", 10)
	lease, err := l.Acquire(context.Background(), q)
	if err != nil {
		return 0, err
	}
	_ = pause.For(context.Background(), time.Duration(random()*float64(200*time.Millisecond)))
	delta := int64(2)
	if random() < 0.7 {
		delta = -3
	}
	if err := errors.Join(lease.Adjust(tokens("rps", delta)), lease.Commit(context.Background())); err != nil {
		return 0, err
	}
	return 10 + delta, nil
}

// prefetchConserves: pockets, refunds and charges add up on the record, whatever replies are lost.
func prefetchConserves(f *fleet, lost int64) {
	began := time.Now()
	prefetchLeasesOf(f, lost)
	f.close()
	f.conserved(began, f.admitted, lost > 0)
}

func prefetchLeasesOf(f *fleet, lost int64) {
	f.store.lost.Store(lost)
	f.each = corrects
	for range 4 { // pockets come and go
		f.run(50, 2*time.Second)
		_ = pause.For(context.Background(), time.Second)
	}
}

// prefetchOldLife: what the pockets of a bucket's old life held does not come back to its new one.
func prefetchOldLife(f *fleet) {
	f.run(300, 2*time.Second)
	if err := f.limiters[0].ResetBucket(context.Background(), "tenant", "api"); err != nil {
		f.Fatal(err)
	}
	began, before := time.Now(), f.admitted
	other := f.reader()
	for range 1000 { // the new life is not full when they would come back
		if d, err := other.Allow(context.Background(), f.request()); err != nil || !d.Allowed {
			f.Fatal(d.Allowed, err)
		}
		before--
	}
	_ = pause.For(context.Background(), 2*time.Second)
	f.close()
	f.conserved(began, f.admitted-before, false)
}

// prefetchConversion: an operator halves the limit. Usage stays right, and the new limit holds.
func prefetchConversion(f *fleet) {
	f.stored = true
	set := func(n int64) {
		if err := f.limiters[0].SetLimits(context.Background(), "tenant", "api", []engine.Limit{engine.PerSecond("rps", n)}); err != nil {
			f.Error(err)
		}
	}
	set(1000)
	f.run(300, 3*time.Second)
	set(500)
	before := f.admitted
	f.run(300, 4*time.Second)
	f.Logf("%d admitted in four seconds of 500 a second", f.admitted-before)
	f.settle()
}

// prefetchReset: pockets of the bucket's old life are worth nothing.
func prefetchReset(f *fleet) {
	f.run(300, 2*time.Second)
	if err := f.limiters[0].ResetBucket(context.Background(), "tenant", "api"); err != nil {
		f.Error(err)
	}
	for i := range f.handed {
		f.handed[i] = newExcess(f.limits[i], time.Now())
	}
	f.run(300, 2*time.Second)
	f.withinBound(time.Second)
	f.close()
}

// prefetchOutage: while the store is away, pockets are handed out, and nothing is made up.
func prefetchOutage(f *fleet) {
	f.tolerates = engine.ErrUnavailable
	f.run(200, 2*time.Second)
	f.store.away.Store(true)
	before := f.admitted
	f.run(200, 2*time.Second)
	if n := f.admitted - before; n > 200 {
		f.Errorf("%d were admitted without the store", n)
	}
	f.store.away.Store(false)
	_ = pause.For(context.Background(), longestPause)
	before = f.admitted
	if f.run(200, 2*time.Second); f.admitted-before < 1000 {
		f.Errorf("%d were admitted after the store was back", f.admitted-before)
	}
	f.withinBound(time.Second)
	f.settle()
}

// prefetchThrottled: a bucket that is too hot denies, and nothing is lost or charged twice.
func prefetchThrottled(f *fleet) {
	f.store.hot.Store(100)
	f.run(100, time.Second)
	if f.admitted != 0 {
		f.Errorf("%d were admitted although nothing could be written", f.admitted)
	}
	f.store.hot.Store(40)
	if f.run(200, 4*time.Second); f.admitted < f.asked/2 {
		f.Errorf("%d of %d were admitted while four of ten writes were throttled", f.admitted, f.asked)
	}
	f.store.hot.Store(0)
	f.run(200, time.Second)
	f.settle()
}

// prefetchCrash: a process that dies loses its pocket, and the usage that it has not written yet.
func prefetchCrash(f *fleet) {
	f.run(90, 3*time.Second)
	f.store.dead[0].Store(true)
	died := f.limiters[0]
	f.limiters = f.limiters[1:]
	f.run(90, 3*time.Second)
	f.withinBound(time.Second)
	f.close()
	s, err := f.reader().BucketStates(context.Background(), []engine.BucketName{{Entity: "tenant", Resource: "api"}})
	if err != nil {
		f.Fatal(err)
	}
	// What it had admitted in the last second at most is missing.
	if used := s[0].Limits[0].Used; used > f.admitted || used < f.admitted-150 {
		f.Errorf("%d are recorded as used, %d were admitted", used, f.admitted)
	}
	if err := died.Close(); err != nil {
		f.Error(err)
	}
}

// prefetchIdle: when nobody asks any more, the pocket goes back, and the desk ends.
func prefetchIdle(f *fleet) {
	f.run(500, 2*time.Second)
	_ = pause.For(context.Background(), 1250*time.Millisecond)
	s, err := f.reader().BucketStates(context.Background(), []engine.BucketName{{Entity: "tenant", Resource: "api"}})
	if err != nil {
		f.Fatal(err)
	}
	if got := s[0].Limits[0]; got.Available != 1000 || got.Used != f.admitted {
		f.Errorf("a second after the last request %d of 1000 are available, %d of %d are recorded as used", got.Available, got.Used, f.admitted)
	}
	f.settle()
}

// prefetchParents: the pocket of a parent serves all children of a process.
func prefetchParents(f *fleet) {
	admin := f.reader()
	for i := range 50 {
		e := engine.Entity{ID: fmt.Sprintf("child-%d", i), Parent: "tenant", Cascade: true}
		if err := admin.CreateEntity(context.Background(), e, unborn); err != nil {
			f.Fatal(err)
		}
	}
	if err := admin.SetLimits(context.Background(), "tenant", "api", f.limits); err != nil {
		f.Fatal(err)
	}
	f.stored = true
	f.each = func(l *engine.Limiter, q engine.Request, random func() float64) (int64, error) {
		q.Entity = fmt.Sprintf("child-%d", int(random()*50))
		d, err := l.Allow(context.Background(), q)
		if err != nil || !d.Allowed {
			return 0, errors.Join(err, errDenied)
		}
		return 1, nil
	}
	f.run(300, 5*time.Second)
	all, most := f.writes()
	f.Logf("%d of %d admitted, %d writes, the busiest process %.1f a second", f.admitted, f.asked, all, float64(most)/5)
	if float64(most)/5 > 25 {
		f.Errorf("%.1f writes a second by one process", float64(most)/5)
	}
	f.withinBound(time.Second)
	f.settle()
}

// prefetchTimeUntil: what is in the pocket is there for whoever asks when his request would be admitted.
func prefetchTimeUntil(f *fleet) {
	l, q, ctx := f.limiters[0], f.request(), context.Background()
	f.run(900, 3*time.Second)
	for n := int64(1); ; n = n%60 + 1 {
		q.Consume = tokens("rps", n)
		wait, err := l.TimeUntilAvailable(ctx, q)
		if err != nil {
			f.Fatal(err)
		}
		d, err := l.Allow(ctx, q)
		if err != nil {
			f.Fatal(err)
		}
		if d.Allowed && wait != 0 {
			f.Errorf("%d tokens that are admitted were said to be so in %v", n, wait)
		}
		if !d.Allowed && n == 1 {
			break
		}
	}
	q.Consume = tokens("rps", 1001)
	if _, err := l.TimeUntilAvailable(ctx, q); !errors.Is(err, engine.ErrNeverFits) {
		f.Errorf("more than the capacity: %v", err)
	}
	f.close()
}

// TestPrefetchOfAnUnseenBucket: a lease that took nothing of a bucket without a record does not know which life it charges later.
// It finds out by a write of its own, so that a rollback refunds what was flushed.
func TestPrefetchOfAnUnseenBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := false
		store := backend.Wrap(memory.New(nil), &backend.WrapOptions{HonorsContext: true, Around: func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
			if slow && c.Method == "Apply" {
				must(t, pause.For(context.Background(), 10*time.Millisecond))
			}
			return next(ctx)
		}})
		l, err := engine.New(store, &engine.Options{Now: shifted, Prefetch: &engine.PrefetchOptions{}})
		must(t, err)
		q := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"a": 0}, Limits: []engine.Limit{engine.PerDay("a", 100)}}
		lease, err := l.Acquire(t.Context(), q)
		must(t, err)
		slow = true
		q.Consume = engine.Tokens{"a": 1}
		var others sync.WaitGroup
		for range 2 { // the second one waits for the first one's write
			others.Go(func() {
				_, err := l.Allow(context.Background(), q)
				must(t, err)
			})
			synctest.Wait()
		}
		must(t, lease.Adjust(engine.Tokens{"a": 5}))
		must(t, lease.Flush(t.Context()))
		others.Wait()
		must(t, lease.Rollback(t.Context()))
		must(t, l.Close())
		other, err := engine.New(store, &engine.Options{Now: shifted})
		must(t, err)
		defer other.Close()
		left, err := other.Available(t.Context(), "e", "r", q.Limits...)
		must(t, err)
		equal(t, "left", left[0].Remaining, 98)
	})
}

// TestPrefetchAllocates: an admission from the pocket allocates nothing.
func TestPrefetchAllocates(t *testing.T) {
	store := backend.Wrap(memory.New(nil), &backend.WrapOptions{HonorsContext: true})
	l, err := engine.New(store, &engine.Options{Prefetch: &engine.PrefetchOptions{}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	limits := []engine.Limit{engine.PerSecond("a", 1_000_000_000), engine.PerSecond("b", 1_000_000_000)}
	q := engine.Request{Entity: "e", Resource: "r", Limits: limits, Consume: engine.Tokens{"a": 1, "b": 1}}
	ctx := t.Context()
	allow := func() {
		if d, err := l.Allow(ctx, q); err != nil || !d.Allowed {
			t.Fatal(d.Allowed, err)
		}
	}
	for range 20_000 {
		allow()
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if d, err := l.Allow(gone, q); !errors.Is(err, context.Canceled) || d.Allowed {
		t.Errorf("a context that had ended: %v, %v", d.Allowed, err)
	}
	if n := testing.AllocsPerRun(20_000, allow); n >= 1 && !raceDetector { // with it, pools drop what they are given
		t.Errorf("%v allocations an acquire from the pocket", n)
	}
}

// TestPrefetchOptions refuses what is out of range.
func TestPrefetchOptions(t *testing.T) {
	for _, o := range []engine.PrefetchOptions{
		{MaxAge: time.Millisecond},
		{MaxAge: -time.Second},
		{Target: -1},
		{Target: 101 * time.Millisecond},
		{Target: 600 * time.Millisecond, MaxAge: 5 * time.Second},
		{MaxShare: -0.1},
		{MaxShare: 1.1},
	} {
		if _, err := engine.New(memory.New(nil), &engine.Options{Prefetch: &o}); !errors.As(err, new(*engine.ValidationError)) {
			t.Errorf("New with %+v: %v, no *ValidationError", o, err)
		}
	}
}
