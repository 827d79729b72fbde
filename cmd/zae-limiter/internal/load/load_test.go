package load_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// remote returns the capabilities of a store without the properties of memory: its calls need I/O and take time.
func remote(s *memory.Store) backend.Capabilities { return backend.Wrap(s, nil).Capabilities() }

// slow is a store whose writes take time, and which stalls for a while.
type slow struct {
	*memory.Store
	takes    time.Duration
	from, to time.Time // all calls in this interval end at its end
}

// Capabilities implements [backend.Backend].
func (s *slow) Capabilities() backend.Capabilities { return remote(s.Store) }

// Apply implements [backend.Backend].
func (s *slow) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	d := s.takes
	if now := time.Now(); !now.Before(s.from) && now.Before(s.to) {
		d = s.to.Sub(now)
	}
	if err := pause.For(ctx, d); err != nil {
		return errors.Join(backend.ErrUnavailable, err)
	}
	return s.Store.Apply(ctx, writes, out)
}

// generous is a store that loses all charges, so that everything is admitted.
type generous struct {
	*memory.Store
}

// Capabilities implements [backend.Backend].
func (s *generous) Capabilities() backend.Capabilities { return remote(s.Store) }

// Apply implements [backend.Backend].
func (s *generous) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	for i := range writes {
		if err := s.Store.Apply(ctx, []backend.Write{{Key: writes[i].Key, Layout: schema.BucketLayout, Remove: true}}, make([]backend.Outcome, 1)); err != nil {
			return err
		}
	}
	return s.Store.Apply(ctx, writes, out)
}

// clock is virtual time, starting at a realistic date.
func clock() time.Time { return time.Now().AddDate(26, 0, 0) }

// test is a run in virtual time over a store.
func test(t *testing.T, store backend.Backend, processes int, o load.Options) (*load.Report, error) {
	t.Helper()
	meter := new(load.Meter)
	var limiters []*engine.Limiter
	for range processes {
		l, err := engine.New(store, &engine.Options{Now: clock, Observer: meter, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		limiters = append(limiters, l)
	}
	o.Resource, o.Now, o.Sleep = "r", clock, pause.For
	if o.Paths == nil {
		o.Paths = [][]string{{"a"}}
	}
	o.Levels = [][]engine.Limit{o.Override}
	return load.Run(t.Context(), limiters, meter, o)
}

func perSecond(n int64) []engine.Limit { return []engine.Limit{engine.PerSecond("n", n)} }

// TestNoCoordinatedOmission stalls the store for a second: the latency of each arrival includes the rest of that second, although
// few calls are in progress.
func TestNoCoordinatedOmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{Store: memory.New(nil), takes: time.Millisecond}
		store.from, store.to = time.Now().Add(4*time.Second), time.Now().Add(5*time.Second)
		r, err := test(t, store, 1, load.Options{
			Rate: 100, Duration: 10 * time.Second, Even: true, InFlight: 1,
			Consume: engine.Tokens{"n": 1}, Override: perSecond(1000), Lease: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Admitted != 1000 || r.Sent != 1000 || r.Bound.Broken != 0 {
			t.Errorf("%+v, %+v", r.Counts, r.Bound)
		}
		// A hundred arrive during the stall and are late by up to 1 s; after it, each call takes 1 ms and one arrives every 10 ms.
		late := 0
		for _, s := range r.Slots {
			if s.P99 > 100*time.Millisecond {
				late += int(s.Sent)
			}
		}
		if late < 90 || late > 130 || r.Latency.Max < 990*time.Millisecond || r.Latency.P50 > 2*time.Millisecond {
			t.Errorf("%d arrivals are late: %+v", late, r.Latency)
		}
		if r.Latency.P90 < 50*time.Millisecond || r.Late.P90 < 50*time.Millisecond {
			t.Errorf("latency %+v, begun late %+v", r.Latency, r.Late)
		}
	})
}

// TestLoadCounts sends more load from two processes than a bucket admits, with leases that are rolled back, and checks all counts.
func TestLoadCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []load.Progress
		r, err := test(t, memory.New(nil), 2, load.Options{
			Rate: 200, WarmUp: 5 * time.Second, Duration: 20 * time.Second, Seed: 7,
			Consume: engine.Tokens{"n": 2}, Override: perSecond(100), Lease: true, RollBack: 0.25,
			Progress: func(p load.Progress) { told = append(told, p) },
		})
		if err != nil {
			t.Fatal(err)
		}
		kept := r.Admitted - r.RolledBack
		if r.Sent < 3700 || r.Sent > 4300 || kept < 990 || kept > 1040 || r.Failed+r.Degraded != 0 {
			t.Errorf("%+v, %d rolled back", r.Counts, r.RolledBack)
		}
		if share := float64(r.RolledBack) / float64(r.Admitted); share < 0.2 || share > 0.3 {
			t.Errorf("%v of the leases were rolled back", share)
		}
		if b := r.Bound; b.Broken != 0 || b.Buckets != 1 || b.Limits != 1 || b.Share > 1 || b.Share < 0.95 {
			t.Errorf("%+v", b)
		}
		if r.Cost.Decisions != r.Sent || r.Cost.Writes < r.Admitted || r.Elapsed < 19*time.Second || r.Elapsed > 20*time.Second {
			t.Errorf("%+v in %v", r.Cost, r.Elapsed)
		}
		if len(told) < 23 || !told[0].WarmingUp || told[len(told)-1].WarmingUp || told[len(told)-1].Sent < 3000 {
			t.Errorf("told %d times: %+v", len(told), told)
		}
	})
}

// TestLoadIsTheSame checks that equal seeds give equal results, and other seeds others.
func TestLoadIsTheSame(t *testing.T) {
	say := func(seed uint64) (s string) {
		synctest.Test(t, func(t *testing.T) {
			var paths [][]string
			for i := range 50 {
				paths = append(paths, []string{fmt.Sprint("e", i)})
			}
			r, err := test(t, memory.New(nil), 3, load.Options{
				Rate: 50, Duration: 10 * time.Second, Seed: seed, Skew: 1.2, Paths: paths,
				Consume: engine.Tokens{"n": 1}, Override: perSecond(2),
			})
			if err != nil {
				t.Fatal(err)
			}
			s = fmt.Sprintf("%+v %+v %v", r.Counts, r.Slots, r.Touched)
		})
		return s
	}
	if a, b := say(1), say(1); a != b {
		t.Errorf("%s\n%s", a, b)
	}
	if say(1) == say(2) {
		t.Error("another seed draws the same")
	}
}

// TestRareArrivals sends so little load that the second arrival would come after centuries.
func TestRareArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := test(t, memory.New(nil), 1, load.Options{
			Rate: 1e-12, Duration: time.Minute, Even: true, Consume: engine.Tokens{"n": 1}, Override: perSecond(10),
		})
		if err != nil || r.Sent != 1 {
			t.Errorf("%+v, %v", r.Counts, err)
		}
	})
}

func TestBrokenStoreIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := test(t, &generous{Store: memory.New(nil)}, 1, load.Options{
			Rate: 100, Duration: 2 * time.Second, Even: true, Consume: engine.Tokens{"n": 1}, Override: perSecond(10),
		})
		if err != nil {
			t.Fatal(err)
		}
		if b := r.Bound; b.Broken != 1 || len(b.Violations) != 1 || b.Share < 15 {
			t.Fatalf("%+v of %+v", b, r.Counts)
		}
		v := r.Bound.Violations[0]
		if v.Entity != "a" || v.Admitted != 200 || v.Allowed != 29 || v.To.Sub(v.From) != 1990*time.Millisecond {
			t.Errorf("%+v", v)
		}
	})
}

// down is an unreachable store.
type down struct {
	*memory.Store
}

// Capabilities implements [backend.Backend].
func (s down) Capabilities() backend.Capabilities { return remote(s.Store) }

// Read implements [backend.Backend].
func (down) Read(context.Context, []backend.Key, []backend.Record) error {
	return backend.ErrUnavailable
}

func TestLoadInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, warmUp := range []time.Duration{0, time.Second} {
			r, err := test(t, down{Store: memory.New(nil)}, 1, load.Options{
				Rate: 10, WarmUp: warmUp, Duration: time.Second, Consume: engine.Tokens{"n": 1}, Override: perSecond(10),
			})
			if !errors.Is(err, engine.ErrUnavailable) || r.Failed == 0 || r.Sent != r.Failed || len(r.Errors) == 0 {
				t.Errorf("%v, %+v", err, r)
			}
		}
	})
}

func TestClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(nil)
		var paths [][]string
		for i := range 300 {
			paths = append(paths, []string{fmt.Sprint("e", i)})
		}
		r, err := test(t, store, 1, load.Options{Rate: 1000, Duration: time.Second, Paths: paths, Consume: engine.Tokens{"n": 1}, Override: perSecond(2)})
		if err != nil || len(r.Touched) < 250 {
			t.Fatal(len(r.Touched), err)
		}
		if err := load.Clean(t.Context(), store, "default", "r", r.Touched); err != nil {
			t.Fatal(err)
		}
		keys, _, err := store.Scan(t.Context(), "default", "", 1000)
		if err != nil || len(keys) > 0 {
			t.Errorf("%d records are left, %v", len(keys), err)
		}
	})
}
