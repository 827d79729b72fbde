package dynamo_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// writes is an observer of the writes of a limiter.
type writes struct {
	lock  sync.Mutex
	n     int
	times []time.Duration
}

// Observe implements [engine.Observer].
func (w *writes) Observe(e engine.Event) {
	if e.Kind != engine.EventStoreCall || e.Call != "apply" {
		return
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.n++
	w.times = append(w.times, e.Latency)
}

func (w *writes) median() time.Duration {
	w.lock.Lock()
	defer w.lock.Unlock()
	return median(w.times)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// call is what a caller does again and again; it returns an error unless it was admitted.
type call func(l *engine.Limiter, q engine.Request) error

func allowed(l *engine.Limiter, q engine.Request) error {
	d, err := l.Allow(context.Background(), q)
	if err == nil && !d.Allowed {
		err = errors.New("denied")
	}
	return err
}

// leased takes a lease, and commits less than it has estimated.
func leased(l *engine.Limiter, q engine.Request) error {
	lease, err := l.Acquire(context.Background(), q)
	if err != nil {
		return err
	}
	if err := lease.Adjust(engine.Tokens{"a": -3}); err != nil {
		return err
	}
	return lease.Commit(context.Background())
}

// hammer has so many goroutines call for tokens of one bucket again and again, on these limiters in turn, for so long. It
// returns how many were admitted, and how long each took.
func hammer(t *testing.T, limiters []*engine.Limiter, goroutines int, d time.Duration, do call) (admitted int64, times []time.Duration) {
	t.Helper()
	q := engine.Request{
		Entity: "tenant", Resource: "api", Consume: engine.Tokens{"a": 10}, Limits: []engine.Limit{engine.PerSecond("a", 100_000_000)},
	}
	var all sync.WaitGroup
	var lock sync.Mutex
	var n atomic.Int64
	for i := range goroutines {
		l := limiters[i%len(limiters)]
		all.Go(func() {
			var own []time.Duration
			for end := time.Now().Add(d); time.Now().Before(end); {
				begin := time.Now()
				if err := do(l, q); err != nil {
					t.Error(err)
					return
				}
				n.Add(1)
				own = append(own, time.Since(begin))
			}
			lock.Lock()
			defer lock.Unlock()
			times = append(times, own...)
		})
	}
	all.Wait()
	return n.Load(), times
}

// TestSlowSharedWrites: 64 goroutines of one process on one bucket share its writes, and wait for two of them at most at the
// median. So do those that adjust what they took, which is settled by writes that they share, too.
func TestSlowSharedWrites(t *testing.T) {
	for _, c := range []struct {
		name  string
		do    call
		waits float64 // for writes, at the median
	}{{"Allow", allowed, 2.5}, {"Lease", leased, 5}} { // the goroutines take turns on two processors, too
		t.Run(c.name, func(t *testing.T) {
			name, o := Table(t)
			seen := &writes{}
			l, err := engine.New(mustOpen(t, name, o), &engine.Options{Observer: seen, Timeout: 30 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			admitted, times := hammer(t, []*engine.Limiter{l}, 64, 2*time.Second, c.do)
			each, wait, one := float64(seen.n)/float64(admitted), median(times), seen.median()
			t.Logf("%d admitted, %.3f writes each, %v at the median, one write takes %v", admitted, each, wait, one)
			if each > 0.2 {
				t.Errorf("%.3f writes an acquire, 0.2 are allowed", each)
			}
			if float64(wait) > c.waits*float64(one) {
				t.Errorf("half of the acquires take more than %v, a write takes %v", wait, one)
			}
		})
	}
}

// TestSlowPrefetch: eight processes with prefetch admit at least fifty times what as many acquires admit that write each for
// itself, on one bucket.
func TestSlowPrefetch(t *testing.T) {
	name, o := Table(t)
	fleet := func(n int, prefetch *engine.PrefetchOptions) (all []*engine.Limiter) {
		for range n {
			l, err := engine.New(mustOpen(t, name, o), &engine.Options{Timeout: 30 * time.Second, Prefetch: prefetch})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			all = append(all, l)
		}
		return all
	}
	alone, _ := hammer(t, fleet(8, nil), 8, 2*time.Second, allowed) // one goroutine in each process shares no write
	bought := fleet(8, &engine.PrefetchOptions{})
	for before, rounds := int64(0), 0; rounds < 20; rounds++ { // pockets grow from nothing, slowly at first if writes take long
		n, _ := hammer(t, bought, 8, time.Second, allowed)
		if n < 2*before && n > 25*alone {
			break
		}
		before = n
	}
	many, _ := hammer(t, bought, 8, 2*time.Second, allowed)
	ratio := float64(many) / float64(alone)
	t.Logf("%d acquires a second with prefetch, %d without: %.0f times", many/2, alone/2, ratio)
	if ratio < 50 {
		t.Errorf("%.0f times as many, 50 are wanted", ratio)
	}
}
