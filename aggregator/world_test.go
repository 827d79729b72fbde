package aggregator_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// noon is the time of most tests, in the future so that no store removes records.
var noon = time.Date(2040, 5, 30, 12, 0, 0, 0, time.UTC)

// clock is a clock that only changes when it is set.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) set(t time.Time)         { c.ns.Store(t.UnixNano()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func clockAt(t time.Time) *clock {
	c := &clock{}
	c.set(t)
	return c
}

func inMemory(testing.TB) backend.Backend { return memory.New(&memory.Options{Feed: true}) }

func inFile(t testing.TB) backend.Backend {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), &bolt.Options{Feed: true, NoSync: true})
	must(t, err)
	return s
}

// stores has the stores that Count accepts.
var stores = map[string]func(testing.TB) backend.Backend{"memory": inMemory, "bolt": inFile}

func onEach(t *testing.T, f func(*testing.T, backend.Backend)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { s.Close() })
			f(t, s)
		})
	}
}

// impatient returns without waiting.
func impatient(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func limiterOver(t testing.TB, s backend.Backend, c *clock) *engine.Limiter {
	l, err := engine.New(s, &engine.Options{Now: c.now, Sleep: impatient, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute, MaxHold: 20 * time.Hour})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func aggregatorOver(t testing.TB, s backend.Backend, o aggregator.Options) *aggregator.Aggregator {
	if o.Sleep == nil {
		o.Sleep = impatient
	}
	a, err := aggregator.New(s, &o)
	must(t, err)
	return a
}

// feed takes all changes from a store.
func feed(t testing.TB, s backend.Backend) (all []backend.Change) {
	for {
		n, err := s.Capabilities().Feed(t.Context(), aggregator.Layouts, 1000, func(changes []backend.Change) error {
			all = append(all, changes...)
			return nil
		})
		must(t, err)
		if n == 0 {
			return all
		}
	}
}

// allUsage lists all snapshots, one a line, in pages of a given size.
func allUsage(t testing.TB, l *engine.Limiter, q engine.UsageQuery, size int) (lines []string) {
	for q.Page.Size = size; ; {
		page, err := l.Usage(t.Context(), q)
		must(t, err)
		for _, s := range page.Items {
			lines = append(lines, lineOf(s))
		}
		if q.Page.After = page.Next; page.Next == "" {
			return lines
		}
		if len(page.Items) != size {
			t.Fatalf("a page of %d in the middle, not %d", len(page.Items), size)
		}
	}
}

func lineOf(s engine.UsageSnapshot) string {
	return fmt.Sprintf("%s %s %s %s+%s %s q=%d", s.Entity, s.Resource, s.Window, s.Start.Format("2006-01-02T15:04"),
		s.End.Sub(s.Start), amounts(s.Tokens), s.Acquires)
}

// amounts returns tokens as "a=1 b=2", without zeros.
func amounts(tokens engine.Tokens) string {
	var parts []string
	for name, n := range tokens {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", name, n))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%v", got), fmt.Sprintf("%v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}
