package aggregator_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// killed is the environment variable with a bbolt file: if it is set, the test program acquires in that file until it is killed.
const killed = "AGGREGATOR_TEST_ACQUIRE_IN"

func TestMain(m *testing.M) {
	if path := os.Getenv(killed); path != "" {
		if err := acquireForEver(path); err != nil {
			fmt.Fprintln(os.Stdout, "failed:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func counting(t testing.TB, s backend.Backend, c *clock) aggregator.Counted {
	counted, err := aggregator.Count(s, &aggregator.Options{Now: c.now, Sleep: impatient})
	must(t, err)
	t.Cleanup(func() { counted.Close() })
	return counted
}

func once(entity string, n int64) engine.Request {
	return engine.Request{Entity: entity, Resource: "r", Consume: engine.Tokens{"tpm": n}, Limits: []engine.Limit{engine.PerMinute("tpm", 1e12)}}
}

// Usage is up to date whenever it is listed.
func TestCountIsUpToDate(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c := clockAt(noon)
		store := counting(t, s, c)
		l := limiterOver(t, store, c)
		for n := range int64(3) {
			_, err := l.Allow(t.Context(), once("e", n+1))
			must(t, err)
			sum, err := l.UsageSummary(t.Context(), engine.UsageQuery{Resource: "r", Window: engine.WindowHourly})
			must(t, err)
			equal(t, "sum", amounts(sum.Total), fmt.Sprint("tpm=", (n+1)*(n+2)/2))
		}
		must(t, l.DeleteEntity(t.Context(), "e", nil))
		equal(t, "deleted", len(allUsage(t, l, engine.UsageQuery{Entity: "e", Window: engine.WindowHourly}, 9)), 0)
		must(t, store.Close())
		must(t, store.Close())
		if _, err := l.Allow(t.Context(), once("e", 1)); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// as is a store with other capabilities.
type as struct {
	backend.Backend
	caps backend.Capabilities
}

func (s as) Capabilities() backend.Capabilities { return s.caps }

// Count preserves the capabilities of a store, except Feed.
func TestCountKeepsCapabilities(t *testing.T) {
	s := memory.New(&memory.Options{Feed: true})
	t.Cleanup(func() { s.Close() })
	for _, want := range []backend.Capabilities{
		{Feed: s.Feed}, {Feed: s.Feed, NoIO: true}, {Feed: s.Feed, Max: true, Sweep: s.Sweep}, s.Capabilities(),
	} {
		got := counting(t, as{s, want}, clockAt(noon)).Capabilities()
		equal(t, "no I/O, honors the context, max", []bool{got.NoIO, got.HonorsContext, got.Max}, []bool{want.NoIO, want.HonorsContext, want.Max})
		equal(t, "sweeps, scans, feeds", []bool{got.Sweep != nil, got.Scan != nil, got.Feed != nil}, []bool{want.Sweep != nil, want.Scan != nil, false})
	}
}

// A thousand changes start a drain, and Close drains.
func TestCountDrainsByItself(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c := clockAt(noon)
		store := counting(t, s, c)
		l := limiterOver(t, store, c)
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for range 300 {
					if _, err := l.Allow(t.Context(), once(fmt.Sprint("e", g), 1)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		snapshots := func() (n int64) {
			out := make([]backend.Record, 1)
			for g := range 8 {
				key, _ := schema.Usage("default", fmt.Sprint("e", g), "r", schema.Hourly, schema.Hourly.Start(noon.UnixNano()))
				out[0].Reset(schema.UsageLayout)
				must(t, s.Read(t.Context(), []backend.Key{key}, out))
				n += out[0].Int64(schema.UsageAcq)
			}
			return n
		}
		for deadline := time.Now().Add(30 * time.Second); snapshots() == 0; {
			if time.Now().After(deadline) {
				t.Fatal("nobody drained after 2,400 changes")
			}
		}
		must(t, store.Drain(t.Context()))
		equal(t, "acquires", snapshots(), 2400)
	})
}

// Listing usage and Close return the error of a change that cannot be processed, and keep the change.
func TestCountFails(t *testing.T) {
	s, c := memory.New(&memory.Options{Feed: true}), clockAt(noon)
	store := counting(t, s, c)
	key, _ := schema.Bucket("default", "e", "r")
	w := backend.Write{Key: key, Layout: schema.BucketLayout, Effects: []backend.Effect{{Slot: schema.L, Op: backend.Set, Text: "\x09"}}}
	out := make([]backend.Outcome, 1)
	for range 3000 {
		w.Effects = append(w.Effects[:1], backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: backend.Int(1)})
		must(t, store.Apply(t.Context(), []backend.Write{w}, out))
	}
	l := limiterOver(t, store, c)
	if _, err := l.Usage(t.Context(), engine.UsageQuery{Entity: "e", Window: engine.WindowHourly}); !errors.Is(err, aggregator.ErrRecord) {
		t.Errorf("Usage: %v", err)
	}
	if err := store.Close(); !errors.Is(err, aggregator.ErrRecord) {
		t.Errorf("Close: %v", err)
	}
	if _, err := aggregator.Count(memory.New(nil), nil); !errors.Is(err, aggregator.ErrNoFeed) {
		t.Errorf("a store without a feed: %v", err)
	}
	if _, err := aggregator.Count(memory.New(&memory.Options{Feed: true}), &aggregator.Options{Windows: []aggregator.Window{"x"}}); !errors.Is(err, aggregator.ErrOptions) {
		t.Errorf("bad options: %v", err)
	}
	if _, err := aggregator.Count(nil, nil); !errors.Is(err, aggregator.ErrOptions) {
		t.Errorf("no store: %v", err)
	}
}

// acquireForEver acquires from three entities, and prints how often it did.
func acquireForEver(path string) error {
	file, err := bolt.Open(path, &bolt.Options{Feed: true})
	if err != nil {
		return err
	}
	store, err := aggregator.Count(file, nil)
	if err != nil {
		return err
	}
	l, err := engine.New(store, nil)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		for g := range 3 {
			if _, err := l.Allow(context.Background(), once(fmt.Sprint("e", g), 1)); err != nil {
				return err
			}
			fmt.Fprintln(os.Stdout, g, 1)
		}
		if n%50 == 0 { // so that it can be killed while it aggregates
			if err := store.Drain(context.Background()); err != nil {
				return err
			}
		}
	}
}

// TestKill kills a process that acquires and aggregates at a random moment: the next process finds all acknowledged usage exactly
// once.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	said := [3]int64{}
	for round := range 6 {
		lifeOf(t, path, 20+round*67, &said)
		file, err := bolt.Open(path, &bolt.Options{Feed: true, NoSync: true})
		must(t, err)
		store, err := aggregator.Count(file, nil)
		must(t, err)
		l, err := engine.New(store, nil)
		must(t, err)
		for g := range 3 {
			entity := fmt.Sprint("e", g)
			sum, err := l.UsageSummary(t.Context(), engine.UsageQuery{Entity: entity, Window: engine.WindowDaily})
			must(t, err)
			n := sum.Total["tpm"]
			if n < said[g] || n > said[g]+1 || sum.Acquires != n {
				t.Errorf("usage of %s is %d in %d acquires, acknowledged were %d", entity, n, sum.Acquires, said[g])
			}
			said[g] = n
		}
		must(t, store.Close())
	}
}

// lifeOf kills a child after a number of lines, and sums what it printed.
func lifeOf(t *testing.T, path string, lines int, said *[3]int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killed+"="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	for scan := bufio.NewScanner(out); scan.Scan(); lines-- {
		g, err := strconv.Atoi(scan.Text()[:1])
		if err != nil {
			t.Fatalf("the child says %q", scan.Text())
		}
		said[g]++
		if lines == 1 {
			_ = cmd.Process.Kill() // it may have ended by itself, which its lines show
		}
	}
	_ = cmd.Wait() // killed
}
