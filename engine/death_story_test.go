package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// deadly is a fleet that prefetches, and whose first process dies while others go on.
type deadly struct {
	*fleet
	began   time.Time
	pending int64           // tokens that callers of the first process have asked for, without an answer
	recent  []time.Duration // when the first process handed out each token, since began
}

// TestDeath: a process dies while it holds a pocket, reservations, a write under way and callers without an answer. It loses at
// most four fifths of what it handed out in the last window, what its callers without an answer were charged, and the slots of
// its own waiters. The others are admitted everything else, and nobody is admitted more than the bound.
func TestDeath(t *testing.T) {
	scarce, plenty := engine.PerSecond("rps", 400), engine.PerDay("rps", 1_000_000)
	death(t, "Nobody", plenty, 1600, 0, false)
	death(t, "NobodyWhileScarce", scarce, 800, 5, false)
	death(t, "Pocket", plenty, 1600, 0, true)
	death(t, "PocketWhileScarce", scarce, 800, 0, true)
	death(t, "PocketAndReservations", scarce, 800, 5, true)
	t.Run("Reservations", func(t *testing.T) { synctest.Test(t, deathOfReservations) })
}

// death lets the first of four processes die after 2 s, and compares what is lost, of all that was there and has refilled, with
// what may be lost: nothing if none dies. All processes ask so many times a second; beside that, so many callers of each wait.
func death(t *testing.T, name string, limit engine.Limit, perSecond float64, waiters int, dies bool) {
	const processes, after, ends = 4, 2 * time.Second, 5 * time.Second
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		seed := rand.Uint64() >> 32
		synctest.Test(t, func(t *testing.T) {
			d := &deadly{fleet: newFleet(t, processes, seed, engine.PrefetchOptions{}, limit), began: time.Now()}
			var all sync.WaitGroup
			for i := range processes {
				all.Go(func() { d.ask(i, perSecond/processes, ends) })
				for k := range waiters {
					all.Go(func() { d.wait(i, uint64(k), ends) })
				}
			}
			_ = pause.For(context.Background(), after)
			most := int64(1 + d.handed[0].rate/50) // a full bucket does not refill before the first write
			if dies {
				most += d.die()
			}
			all.Wait()
			for _, l := range d.limiters {
				_ = l.Close() // that of the dead process fails
			}
			d.withinBound(time.Second)
			d.wantLost(limit, most)
			possible := limit.Capacity + int64(ends.Seconds()*d.handed[0].rate)
			if waiters > 0 && d.admitted < possible*99/100-most {
				d.Errorf("seed %d: %d were admitted, of %d, of which %d may be lost", seed, d.admitted, possible, most)
			}
		})
	})
}

// die lets the first process die, and returns how many tokens it may lose.
func (d *deadly) die() (most int64) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.store.dead[0].Store(true)
	window := int64(0)
	for _, at := range d.recent {
		if at > time.Since(d.began)-time.Second {
			window++
		}
	}
	return window*4/5 + d.pending
}

// wantLost compares what was there and has refilled with what was admitted and is left.
func (d *deadly) wantLost(limit engine.Limit, most int64) {
	d.Helper()
	states, err := d.reader().BucketStates(context.Background(), []engine.BucketName{{Entity: "tenant", Resource: "api"}})
	if err != nil {
		d.Fatal(err)
	}
	lost := limit.Capacity + int64(time.Since(d.began).Seconds()*d.handed[0].rate) - d.admitted - states[0].Limits[0].Available
	d.Logf("seed %d: %d tokens are lost, of at most %d; %d were admitted", d.seed, lost, most, d.admitted)
	if lost < -1 || lost > most {
		d.Errorf("seed %d: %d tokens are lost, of at most %d", d.seed, lost, most)
	}
}

// ask lets callers of a process come that do not wait.
func (d *deadly) ask(i int, perSecond float64, ends time.Duration) {
	random := rand.New(rand.NewPCG(d.seed, uint64(i+2)))
	var all sync.WaitGroup
	defer all.Wait()
	for time.Since(d.began) < ends && !d.store.dead[i].Load() {
		_ = pause.For(context.Background(), time.Duration(random.ExpFloat64()/perSecond*1e9))
		all.Go(func() {
			d.begin(i, 1)
			x, err := d.limiters[i].Allow(context.Background(), d.request())
			d.end(i, 1, x.Allowed, err)
		})
	}
}

// wait lets one caller of a process wait again and again, now and then for ten tokens.
func (d *deadly) wait(i int, k uint64, ends time.Duration) {
	random := rand.New(rand.NewPCG(d.seed, uint64(i+2)<<32|k))
	for time.Since(d.began) < ends && !d.store.dead[i].Load() {
		q, n := d.request(), 1+9*(random.Int64N(10)/9)
		q.Consume["rps"] = n
		d.begin(i, n)
		_, err := d.limiters[i].Wait(context.Background(), q)
		d.end(i, n, err == nil, err)
	}
}

func (d *deadly) begin(i int, n int64) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if i == 0 {
		d.pending += n
	}
}

// end counts what a caller is admitted. A process that is dead admits nobody.
func (d *deadly) end(i int, n int64, allowed bool, err error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.store.dead[i].Load() {
		return
	}
	if i == 0 {
		d.pending -= n
	}
	if err != nil && !errors.As(err, new(*engine.ExceededError)) {
		d.Errorf("seed %d: %v", d.seed, err)
	}
	if !allowed {
		return
	}
	d.admitted += n
	d.handed[0].hand(n)
	for range n {
		if i == 0 {
			d.recent = append(d.recent, time.Since(d.began))
		}
	}
}

// deathOfReservations: of ten waiters, two are admitted before their process dies. The slots of the other eight are lost, and no
// more: those of the other process are admitted at the times that they were promised.
func deathOfReservations(t *testing.T) {
	f := newWaitFleet(t, 2, 1, engine.PerSecond("rps", 10))
	q := f.request()
	q.Consume["rps"] = 10
	if _, err := f.limiters[1].Acquire(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var all sync.WaitGroup
	come := func(process int) {
		for range 10 {
			all.Go(func() {
				if _, err := f.limiters[process].Wait(context.Background(), f.request()); err != nil || f.store.dead[process].Load() {
					return
				}
				f.lock.Lock()
				defer f.lock.Unlock()
				f.served = append(f.served, turn{admitted: time.Since(began), tokens: []int64{1}})
			})
		}
	}
	come(0)
	_ = pause.For(context.Background(), 50*time.Millisecond)
	come(1)
	_ = pause.For(context.Background(), 200*time.Millisecond)
	f.store.dead[0].Store(true)
	_ = pause.For(context.Background(), 1200*time.Millisecond)
	come(1) // beyond those that were there when the process died
	all.Wait()
	if len(f.served) != 22 {
		t.Fatalf("%d were admitted, not 2 of the process that died and 20 of the other", len(f.served))
	}
	for i, s := range f.served {
		due := time.Duration(i+1) * 100 * time.Millisecond
		if i >= 2 {
			due += 800 * time.Millisecond
		}
		if late := s.admitted - due; late < -20*time.Millisecond || late > 20*time.Millisecond {
			t.Errorf("number %d is admitted after %v, not %v", i, s.admitted, due)
		}
	}
	for _, l := range f.limiters {
		_ = l.Close() // that of the dead process fails
	}
}
