package bench

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
	aws "github.com/zeroae/zae-limiter-go/internal/prices"
)

// fleetLedger is a ledger whose calls take no time, so that looks are made in place and a run with a seed always costs the same.
// Without Max, the engine guesses whether a bucket is full, as it does over DynamoDB.
type fleetLedger struct{ *ledger }

func (fleetLedger) Capabilities() backend.Capabilities { return backend.Capabilities{NoIO: true} }

// fleet is processes that share a store, in virtual time.
type fleet struct {
	*testing.T
	store     *ledger
	at        time.Time
	random    *rand.Rand
	processes []*engine.Limiter
	entities  int
	rate      float64 // acquires a second of all processes together
	now       int     // the process that acquires now
}

const fleetSeed = 17

// newFleet makes a fleet with two stored limits, each entity below one of so many parents, and lets each process see all
// entities.
func newFleet(t *testing.T, processes, entities, parents int, perMinute float64) *fleet {
	f := &fleet{
		T: t, store: newLedger(), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), random: rand.New(rand.NewPCG(fleetSeed, 0)),
		entities: entities, rate: float64(entities) * perMinute / 60,
	}
	for range processes {
		f.processes = append(f.processes, f.limiter())
	}
	f.must(f.processes[0].SetResourceDefaults(t.Context(), resource, fleetLimits(100)))
	for i := range parents {
		id := fmt.Sprint("parent-", i)
		f.must(f.processes[0].CreateEntity(t.Context(), engine.Entity{ID: id}, nil))
		f.must(f.processes[0].SetLimits(t.Context(), id, "", fleetLimits(100_000)))
	}
	for i := range entities {
		if parents > 0 {
			e := engine.Entity{ID: f.entity(i), Parent: fmt.Sprint("parent-", i%parents), Cascade: true}
			f.must(f.processes[0].CreateEntity(t.Context(), e, nil))
		}
	}
	f.at = f.at.Add(10 * time.Minute) // the events are old
	for f.now = range f.processes {
		for i := range entities {
			f.allow(i)
		}
	}
	f.at = f.at.Add(2 * time.Minute) // all buckets are full again
	f.run(10 * time.Second)
	return f
}

func (f *fleet) limiter() *engine.Limiter {
	l, err := engine.New(fleetLedger{f.store}, &engine.Options{
		Now: func() time.Time { return f.at }, Logger: slog.New(slog.DiscardHandler), CacheSize: 4 * f.entities,
	})
	f.must(err)
	f.Cleanup(func() { _ = l.Close() })
	return l
}

func (f *fleet) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func fleetLimits(rpm int64) []engine.Limit {
	return []engine.Limit{engine.PerMinute("rpm", rpm), engine.PerMinute("tpm", 1000*rpm)}
}

func (f *fleet) entity(i int) string { return fmt.Sprint("user-", i) }

// allow acquires in the process f.now.
func (f *fleet) allow(entity int) engine.Decision {
	d, err := f.processes[f.now].Allow(f.Context(), engine.Request{
		Entity: f.entity(entity), Resource: resource, Consume: engine.Tokens{"rpm": 1, "tpm": 1000},
	})
	f.must(err)
	return d
}

// run makes acquires of random entities in random processes at random times, for so long, and returns how many.
func (f *fleet) run(d time.Duration) (acquires int) {
	for end := f.at.Add(d); ; acquires++ {
		f.at = f.at.Add(time.Duration(f.random.ExpFloat64() / f.rate * float64(time.Second)))
		if f.at.After(end) {
			return acquires
		}
		f.now = f.random.IntN(len(f.processes))
		f.allow(f.random.IntN(f.entities))
	}
}

var fleets = []struct {
	processes, entities, parents int
	perMinute                    float64
	time                         time.Duration
	writes, keys                 float64 // per acquire, at most
}{
	{10, 10_000, 0, 1, 10 * time.Minute, 1.02, 0.05},
	{10, 10_000, 100, 1, 10 * time.Minute, 2.2, 0.1},
	{10, 10_000, 0, 60, 10 * time.Second, 1.52, 0.05},
}

// TestFleets holds what a fleet pays to its bounds, once each process has seen its entities, and docs/costs.md to what it
// measures.
func TestFleets(t *testing.T) {
	alltests.Only(t)
	page, err := os.ReadFile(filepath.Join("..", "docs", "costs.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range fleets {
		entities := fmt.Sprint(c.entities)
		if c.parents > 0 {
			entities += fmt.Sprintf(" below %d parents", c.parents)
		}
		t.Run(fmt.Sprintf("%s, %g a minute", entities, c.perMinute), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, c.processes, c.entities, c.parents, c.perMinute)
			before := f.store.now()
			n := float64(f.run(c.time))
			got := f.store.now().minus(before)
			writes, keys, looks := float64(got.writes)/n, float64(got.keys)/n, float64(got.lists)/n
			if writes > c.writes || keys > c.keys {
				t.Errorf("%.3f writes and %.3f keys read per acquire, at most %g and %g", writes, keys, c.writes, c.keys)
			}
			if most := float64(c.processes) * c.time.Seconds(); float64(got.lists) > most {
				t.Errorf("%d looks by %d processes in %v", got.lists, c.processes, c.time)
			}
			dollars := 1e6 * aws.OnDemand.Dollars(writes, keys+looks/2) // a look that finds nothing is half a read unit
			row := fmt.Sprintf("| %d | %s | %g | %.2f | %.3f | %.3f | %.3f | %g; %g |",
				c.processes, entities, c.perMinute, writes, keys, looks, dollars, c.writes, c.keys)
			if !strings.Contains(string(page), row) {
				t.Errorf("docs/costs.md does not have this row, which belongs into costsFoot in backend/dynamo:\n%s", row)
			}
		})
	}
}

// TestFleetSeesChange: an operator changes a resource's default, and each busy process judges by it within two seconds.
func TestFleetSeesChange(t *testing.T) {
	alltests.Only(t)
	f := newFleet(t, 10, 1000, 0, 60)
	for round := range int64(20) {
		capacity := 101 + round
		f.must(f.processes[0].SetResourceDefaults(t.Context(), resource, fleetLimits(capacity)))
		changed, latest := f.at, make([]time.Duration, len(f.processes))
		for f.at.Before(changed.Add(3 * time.Second)) {
			f.at = f.at.Add(time.Duration(f.random.ExpFloat64() / f.rate * float64(time.Second)))
			f.now = f.random.IntN(len(f.processes))
			d := f.allow(f.random.IntN(f.entities))
			if d.Statuses()[0].Limit.Capacity != capacity {
				latest[f.now] = f.at.Sub(changed)
			}
		}
		for i, d := range latest {
			if d > 2*time.Second || i == 0 && d > 0 {
				t.Errorf("round %d: process %d judges by the old limits %v later", round, i, d)
			}
		}
	}
}
