package aggregator_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// shelf is an archive in memory.
type shelf struct {
	files map[string]string // unpacked
	puts  int
	fail  error
}

func (s *shelf) Put(_ context.Context, name string, content []byte) error {
	if s.puts++; s.fail != nil {
		return s.fail
	}
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(r)
	if s.files == nil {
		s.files = map[string]string{}
	}
	s.files[name] = string(plain)
	return err
}

// Expired events are archived by day, and processing a batch again creates no other file.
func TestArchive(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c, archive := clockAt(noon), &shelf{}
		a, l := aggregatorOver(t, s, aggregator.Options{Archive: archive}), limiterOver(t, s, c)
		must(t, l.CreateEntity(t.Context(), engine.Entity{ID: "a", Name: "<A>"}, nil))
		must(t, l.SetLimits(t.Context(), "a", "r", []engine.Limit{rpm}))
		c.advance(24 * time.Hour)
		must(t, l.SetSystemDefaults(t.Context(), []engine.Limit{rpm}, nil))
		equal(t, "new events", a.Process(t.Context(), feed(t, s), c.now()), aggregator.Report{})
		c.advance(91 * 24 * time.Hour)
		n, err := s.Capabilities().Sweep(t.Context(), c.now().Unix())
		must(t, err)
		equal(t, "swept", n, 3)
		gone := feed(t, s)
		equal(t, "report", a.Process(t.Context(), gone, c.now()), aggregator.Report{Archived: 3})
		slices.Reverse(gone) // the same events in another order
		a.Process(t.Context(), append(gone, gone[0]), c.now())
		equal(t, "files", len(archive.files), 2)
		equal(t, "puts", archive.puts, 4)
		for name, content := range archive.files {
			lines := strings.SplitAfter(strings.TrimSuffix(content, "\n"), "\n")
			switch {
			case strings.HasPrefix(name, "audit/year=2040/month=05/day=30/") && strings.HasSuffix(name, ".jsonl.gz"):
				if len(lines) != 2 || !strings.Contains(lines[0], `"time":"2040-05-30T12:00:00Z","namespace":"default","action":"entity_created","entity_id":"a"`) ||
					!strings.Contains(lines[0], `"name":"<A>"`) || !strings.Contains(lines[1], `"action":"limits_set"`) || !strings.Contains(lines[1], `"resource":"r"`) {
					t.Errorf("%s: %s", name, content)
				}
			case strings.HasPrefix(name, "audit/year=2040/month=05/day=31/"):
				equal(t, "lines", len(lines), 1)
			default:
				t.Errorf("file %s", name)
			}
		}
	})
}

// Events that are removed before they expire, with their namespace, are not archived; errors of the archive are reported.
func TestArchiveFails(t *testing.T) {
	s, c, archive := inMemory(t), clockAt(noon), &shelf{fail: errors.New("no such bucket")}
	a, l := aggregatorOver(t, s, aggregator.Options{Archive: archive}), limiterOver(t, s, c)
	must(t, l.CreateEntity(t.Context(), engine.Entity{ID: "a"}, nil))
	made := feed(t, s)[0]
	gone := backend.Change{Key: made.Key, Before: made.After}
	gone.After.Reset(made.After.Layout())
	equal(t, "early", a.Process(t.Context(), []backend.Change{gone}, c.now()), aggregator.Report{})
	c.advance(90 * 24 * time.Hour)
	report := a.Process(t.Context(), []backend.Change{made, gone}, c.now())
	if report.Archived != 0 || len(report.Failed) != 1 || report.Failed[0].Index != 1 || !errors.Is(report.Failed[0].Err, archive.fail) {
		t.Errorf("%+v", report)
	}
	archive.fail = nil
	equal(t, "again", a.Process(t.Context(), []backend.Change{made, gone}, c.now()), aggregator.Report{Archived: 1})
	gone.At = noon.Unix() // it was removed early, and that is met late
	equal(t, "early, met late", a.Process(t.Context(), []backend.Change{gone}, c.now()), aggregator.Report{})
	gone.At = c.now().Unix()
	gone.Before.Unset(gone.Before.Layout().MustSlot("action"))
	report = a.Process(t.Context(), []backend.Change{gone}, c.now())
	if len(report.Failed) != 1 || !errors.Is(report.Failed[0].Err, aggregator.ErrRecord) {
		t.Errorf("%+v", report)
	}
}

// New events are kept for the retention in the options; processing them again changes nothing, and does not restore a removed event.
func TestAuditRetention(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c := clockAt(noon)
		a, l := aggregatorOver(t, s, aggregator.Options{AuditRetention: 10 * 24 * time.Hour}), limiterOver(t, s, c)
		must(t, l.CreateEntity(t.Context(), engine.Entity{ID: "a"}, nil))
		changes := feed(t, s)
		for range 2 {
			equal(t, "report", a.Process(t.Context(), changes, c.now()), aggregator.Report{})
		}
		again := feed(t, s)
		equal(t, "changes by that", len(again), 1)
		a.Process(t.Context(), again, c.now())
		equal(t, "changes by those", len(feed(t, s)), 0)
		seen := func() int {
			page, err := l.AuditEvents(t.Context(), engine.AuditQuery{Entity: "a"})
			must(t, err)
			return len(page.Items)
		}
		c.advance(10*24*time.Hour - time.Second)
		equal(t, "before", seen(), 1)
		c.advance(time.Second)
		equal(t, "after", seen(), 0)
		_, err := s.Capabilities().Sweep(t.Context(), c.now().Unix()+1)
		must(t, err)
		equal(t, "late", a.Process(t.Context(), changes, c.now()), aggregator.Report{})
		equal(t, "left", seen(), 0)
	})
}
