package alarm

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// client notes when it is called.
type client struct {
	Bell
	lock  sync.Mutex
	calls []int64
}

// Tick implements [Client].
func (c *client) Tick(now int64) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.calls = append(c.calls, now)
}

// Close implements [Client].
func (c *client) Close() {}

// called is when it was called.
func (c *client) called() []int64 {
	c.lock.Lock()
	defer c.lock.Unlock()
	return slices.Clone(c.calls)
}

// hands runs functions in the background, and counts those that run.
type hands struct {
	ctx     context.Context
	running atomic.Int64
}

func (h *hands) start(f func(context.Context)) bool {
	h.running.Add(1)
	go func() {
		defer h.running.Add(-1)
		f(h.ctx)
	}()
	return true
}

func now() int64 { return time.Now().UnixNano() }

// TestAlarm: whatever is set, set again and removed, each client is called once for each instant that is due, at that instant. At most
// one goroutine runs, and none when everything that was due is done.
func TestAlarm(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	for i := range uint64(500) {
		synctest.Test(t, func(t *testing.T) { alarms(t, rand.New(rand.NewPCG(seed, i))) })
		if t.Failed() {
			t.Fatalf("seed %d, %d", seed, i)
		}
	}
}

func alarms(t *testing.T, r *rand.Rand) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &hands{ctx: ctx}
	a := &Alarm{Now: now, Sleep: pause.For, Go: h.start}
	clients, due, want := make([]*client, 5), make([]int64, 5), make([][]int64, 5)
	for i := range clients {
		clients[i], due[i] = &client{Bell: NewBell()}, math.MaxInt64
	}
	for step := range 40 {
		i := r.IntN(len(clients))
		switch r.IntN(5) {
		case 0:
			a.Remove(clients[i])
			due[i] = math.MaxInt64
		case 1:
			a.Set(clients[i], math.MaxInt64)
			due[i] = math.MaxInt64
		case 2, 3:
			due[i] = now() + r.Int64N(102) - 2
			a.Set(clients[i], due[i])
		}
		passes := r.Int64N(60)
		if step == 39 {
			passes = 1000
		}
		for i := range due {
			if due[i] <= now()+passes {
				want[i], due[i] = append(want[i], max(due[i], now())), math.MaxInt64
			}
		}
		if err := pause.For(ctx, time.Duration(passes)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, c := range clients {
			if got := c.called(); !slices.Equal(got, want[i]) {
				t.Fatalf("client %d was called at %v, not at %v", i, got, want[i])
			}
		}
		if n := h.running.Load(); n > 1 {
			t.Fatalf("%d goroutines", n)
		}
	}
	if h.running.Load() != 0 {
		t.Fatal("it runs although nothing is due")
	}
	a.Set(clients[0], now()+10)
	cancel()
	a.Stop()
	synctest.Wait()
	if h.running.Load() != 0 || len(clients[0].called()) != len(want[0]) {
		t.Fatal("it runs although the limiter closes")
	}
}

// TestStandingClock: if the clock stands while the alarm sleeps, it calls nobody, and does not try for ever. It goes on when it is
// set again.
func TestStandingClock(t *testing.T) {
	t.Parallel()
	var at, sleeps int64
	a, c := new(Alarm), &client{Bell: NewBell()}
	a.Now = func() int64 { return at }
	a.Sleep = func(context.Context, time.Duration) error {
		sleeps++
		return nil
	}
	started := 0
	a.Go = func(func(context.Context)) bool {
		started++
		return true
	}
	a.Set(c, 10)
	a.run(t.Context())
	if fmt.Sprint(started, sleeps, len(c.calls)) != "1 1 0" {
		t.Fatalf("%d runs, %d sleeps, %d calls", started, sleeps, len(c.calls))
	}
	at = 10
	a.run(t.Context())
	if !slices.Equal(c.calls, []int64{10}) {
		t.Errorf("called at %v", c.calls)
	}
}

// TestAll: it knows those that were set and not removed, also if nothing of theirs is due.
func TestAll(t *testing.T) {
	t.Parallel()
	a, first, second := &Alarm{}, &client{Bell: NewBell()}, &client{Bell: NewBell()}
	a.Set(first, math.MaxInt64)
	a.Set(second, math.MaxInt64)
	a.Remove(first)
	a.Remove(first)
	if all := a.All(); len(all) != 1 || all[0] != second {
		t.Errorf("it knows %v", all)
	}
}
