package load_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
)

// asProcesses runs a load in several processes, each over a store of its own view, and merges what they send.
func asProcesses(t *testing.T, stores []backend.Backend, o load.Options) (parts []*load.Report, merged *load.Report) {
	t.Helper()
	var all sync.WaitGroup
	var sent []*load.Part
	var events []load.Event
	parts = make([]*load.Report, len(stores))
	journals := make([]*load.Journal, len(stores))
	for i, store := range stores {
		all.Go(func() {
			mine := o
			mine.Seed, journals[i] = uint64(i), new(load.Journal)
			mine.Journal = journals[i]
			report, err := test(t, store, 1, mine)
			if err != nil {
				t.Error(err)
			}
			parts[i] = report
		})
	}
	all.Wait()
	for i, report := range parts {
		part, err := report.Part()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		part = new(load.Part)
		if err := json.Unmarshal(text, part); err != nil {
			t.Fatal(err)
		}
		sent, events = append(sent, part), append(events, journals[i].Take()...)
	}
	o.Resource, o.Now, o.Paths, o.Levels = "r", clock, [][]string{{"a"}}, [][]engine.Limit{o.Override}
	merged, err := load.Merge(o, sent, events)
	if err != nil {
		t.Fatal(err)
	}
	return parts, merged
}

// TestMerge compares the report of two processes with what each of them has reported.
func TestMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New(nil)
		o := load.Options{Rate: 50, Duration: 10 * time.Second, WarmUp: time.Second, Consume: engine.Tokens{"n": 1}, Override: perSecond(30), Lease: true, RollBack: 0.2}
		parts, all := asProcesses(t, []backend.Backend{&slow{Store: shared, takes: time.Millisecond}, &slow{Store: shared, takes: 5 * time.Millisecond}}, o)
		sum := func(of func(*load.Report) int64) int64 { return of(parts[0]) + of(parts[1]) }
		for name, of := range map[string]func(*load.Report) int64{
			"sent":        func(r *load.Report) int64 { return r.Sent },
			"admitted":    func(r *load.Report) int64 { return r.Admitted },
			"denied":      func(r *load.Report) int64 { return r.Denied },
			"rolled back": func(r *load.Report) int64 { return r.RolledBack },
			"writes":      func(r *load.Report) int64 { return r.Cost.Writes },
			"of slot 3":   func(r *load.Report) int64 { return r.Slots[3].Sent },
		} {
			if of(all) != sum(of) || of(all) == 0 {
				t.Errorf("%s: %d, not %d and %d", name, of(all), of(parts[0]), of(parts[1]))
			}
		}
		if l := all.Latency; l.Max != max(parts[0].Latency.Max, parts[1].Latency.Max) || l.P50 < parts[0].Latency.P50 || l.P50 > parts[1].Latency.P50 {
			t.Errorf("latency %+v of %+v and %+v", l, parts[0].Latency, parts[1].Latency)
		}
		if b := all.Bound; b.Broken != 0 || b.Buckets != 1 || b.Limits != 1 || b.Share <= parts[0].Bound.Share || b.Share <= parts[1].Bound.Share {
			t.Errorf("bound %+v of %+v and %+v", b, parts[0].Bound, parts[1].Bound)
		}
		if len(all.Touched) != 1 || all.Elapsed < 9*time.Second || all.Interrupted {
			t.Errorf("%+v", all)
		}
	})
}

// TestMergeFindsWhatNoProcessSees has two processes that each keep the limit, and exceed it together, unless so much is allowed.
func TestMergeFindsWhatNoProcessSees(t *testing.T) {
	for _, excess := range []time.Duration{0, 12 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			o := load.Options{Rate: 50, Duration: 10 * time.Second, Consume: engine.Tokens{"n": 1}, Override: perSecond(30), Excess: excess}
			parts, all := asProcesses(t, []backend.Backend{memory.New(nil), memory.New(nil)}, o)
			if parts[0].Bound.Broken+parts[1].Bound.Broken != 0 {
				t.Fatalf("%+v, %+v", parts[0].Bound, parts[1].Bound)
			}
			if want := map[bool]int{true: 1, false: 0}[excess == 0]; all.Bound.Broken != want || len(all.Bound.Violations) != want {
				t.Errorf("excess of %v: %+v", excess, all.Bound)
			}
		})
	}
}

// TestMergeOfRubbish does not take what is no histogram for one.
func TestMergeOfRubbish(t *testing.T) {
	o := load.Options{Rate: 1, Duration: time.Second, Paths: [][]string{{"a"}}, Levels: [][]engine.Limit{perSecond(1)}, Now: clock}
	_, err := load.Merge(o, []*load.Part{{Latency: []byte("no")}}, nil)
	if !errors.As(err, new(*load.PartError)) || !strings.Contains(err.Error(), "part 0 is invalid") {
		t.Errorf("rubbish was merged: %v", err)
	}
}
