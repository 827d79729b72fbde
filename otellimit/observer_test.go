package otellimit_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// observe returns an observer, and a function that reads what it has reported without what is 0: "name{attributes}" by value, of
// histograms the count.
func observe(t *testing.T, o *otellimit.Options) (*otellimit.Observer, func() map[string]float64) {
	t.Helper()
	observer, read := observeAll(t, o)
	return observer, func() map[string]float64 {
		all := read()
		maps.DeleteFunc(all, func(_ string, n float64) bool { return n == 0 })
		return all
	}
}

// observeAll is observe with what is 0.
func observeAll(t *testing.T, o *otellimit.Options) (*otellimit.Observer, func() map[string]float64) {
	t.Helper()
	reader := metric.NewManualReader()
	observer, err := otellimit.New(metric.NewMeterProvider(metric.WithReader(reader)), o)
	if err != nil {
		t.Fatal(err)
	}
	return observer, func() map[string]float64 {
		var read metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &read); err != nil {
			t.Fatal(err)
		}
		all := map[string]float64{}
		for _, scope := range read.ScopeMetrics {
			for _, m := range scope.Metrics {
				points(m, all)
			}
		}
		return all
	}
}

func points(m metricdata.Metrics, all map[string]float64) {
	name := func(s attribute.Set) string {
		text := s.Encoded(attribute.DefaultEncoder())
		return strings.TrimPrefix(m.Name, "zae_limiter.") + "{" + strings.ReplaceAll(text, "zae_limiter.", "") + "}"
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			all[name(p.Attributes)] = float64(p.Value)
		}
	case metricdata.Sum[float64]:
		for _, p := range data.DataPoints {
			all[name(p.Attributes)] = p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			all[name(p.Attributes)] = float64(p.Count)
		}
	}
}

func equal(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s is %v, want %v", name, got[name], n)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is %v, and is not expected", name, got[name])
		}
	}
}

func request(entity string, consume engine.Tokens) engine.Request {
	return engine.Request{Entity: entity, Resource: "api", Consume: consume}
}

// What a limiter does is in the metrics: its decisions, the limits that deny, and the tokens.
func TestDecisions(t *testing.T) {
	observer, read := observe(t, nil)
	l := limitertest.New(t, &engine.Options{Observer: observer})
	for _, err := range []error{
		l.CreateEntity(t.Context(), engine.Entity{ID: "org"}, nil),
		l.CreateEntity(t.Context(), engine.Entity{ID: "child", Parent: "org", Cascade: true}, nil),
		l.SetSystemDefaults(t.Context(), []engine.Limit{engine.PerDay("rpm", 5), engine.PerDay("tpm", 100)}, nil),
		l.SetLimits(t.Context(), "child", "", []engine.Limit{engine.PerDay("rpm", 50), engine.PerDay("tpm", 1000)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []engine.Request{
		request("a", engine.Tokens{"rpm": 1, "tpm": 40}),
		request("a", engine.Tokens{"rpm": 1, "tpm": 50}),
		request("a", engine.Tokens{"rpm": 1, "tpm": 60}),
		request("a", engine.Tokens{"rpm": 1, "tpm": 60}),
		request("child", engine.Tokens{"rpm": 5}),
		request("child", engine.Tokens{"rpm": 5}),
	} {
		if _, err := l.Allow(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got := read()
	maps.DeleteFunc(got, func(name string, _ float64) bool { return strings.HasPrefix(name, "store.") })
	admitted := "{outcome=admitted,resource=api,source=store}"
	equal(t, got, map[string]float64{
		"decisions" + admitted:         3,
		"decision.attempts" + admitted: 4,
		"decisions{denier=entity,level=system,limit=tpm,outcome=denied,resource=api,source=memory}":         2,
		"decision.attempts{denier=entity,level=system,limit=tpm,outcome=denied,resource=api,source=memory}": 0,
		"decisions{denier=parent,level=system,limit=rpm,outcome=denied,resource=api,source=memory}":         1,
		"decision.attempts{denier=parent,level=system,limit=rpm,outcome=denied,resource=api,source=memory}": 0,
		"tokens{limit=rpm,resource=api}": 7,
		"tokens{limit=tpm,resource=api}": 90,
	})
}

// Calls to the store are measured, with the type of their errors, and admissions without the store are counted apart.
func TestStore(t *testing.T) {
	observer, read := observe(t, nil)
	l := limitertest.New(t, &engine.Options{Observer: observer, OnUnavailable: engine.PolicyAllow})
	r := request("a", engine.Tokens{"rpm": 1})
	r.Limits = []engine.Limit{engine.PerDay("rpm", 5)}
	for range 2 {
		if _, err := l.Allow(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		l.Down()
	}
	got := read()
	if got["degraded{resource=api}"] != 1 || got["store.call.duration{call=apply}"] < 1 ||
		got["store.call.duration{error.type=unavailable,call=apply}"] < 1 || got["decisions{outcome=admitted,resource=api,source=store}"] != 1 {
		t.Error(got)
	}
}

// What the policy Local decides is a decision of its own source, and an admission without the store, too.
func TestLocal(t *testing.T) {
	observer, read := observe(t, nil)
	l := limitertest.New(t, &engine.Options{Observer: observer, OnUnavailable: engine.PolicyLocal, LocalShare: .5})
	l.Down()
	r := request("a", engine.Tokens{"rpm": 1})
	r.Limits = []engine.Limit{engine.PerDay("rpm", 4)}
	for range 3 {
		if _, err := l.Allow(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got := read()
	if got["degraded{resource=api}"] != 2 || got["decisions{outcome=admitted,resource=api,source=local}"] != 2 ||
		got["decisions{denier=entity,level=request,limit=rpm,outcome=denied,resource=api,source=local}"] != 1 {
		t.Error(got)
	}
}

// Each kind of event is counted, also a kind that is new.
func TestEvents(t *testing.T) {
	observer, read := observe(t, nil)
	for kind := engine.EventStoreCall; kind <= newKind(); kind++ {
		observer.Observe(engine.Event{
			Kind: kind, Entity: "a", Resource: "api", Tokens: engine.Tokens{"rpm": 2, "tpm": 0}, Call: "read", Requests: 3, Units: 1.5,
			Latency: time.Millisecond, Err: fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, context.Canceled),
		})
	}
	equal(t, read(), map[string]float64{
		"store.call.duration{error.type=outcome_unknown,call=read}": 1,
		"store.requests{error.type=outcome_unknown,call=read}":      3,
		"store.units{error.type=outcome_unknown,call=read}":         1.5,
		"degraded{resource=api}":                                    1,
		"active_leases{resource=api}":                               -1, // one has ended that was not acquired
		"refunds.lost{limit=rpm,resource=api}":                      2,
		"events{kind=clock_ahead}":                                  1,
		"events{kind=large_record}":                                 1,
		"events{kind=contention}":                                   1,
		"events{kind=store_clock}":                                  1,
		"events{kind=refresh}":                                      1,
		"events{kind=skipped}":                                      1,
		"events{kind=config_changed}":                               1,
		"lease.duration{resource=api,result=rolled_back}":           1,
		"events{kind=usage_lost}":                                   1,
		"events{kind=" + newKind().String() + "}":                   1,
	})
}

func newKind() engine.EventKind { return engine.EventUsageLost + 1 }

// The first type of error that matches is the attribute.
func TestErrorTypes(t *testing.T) {
	for want, err := range map[string]error{
		"error.type=canceled,":        context.Canceled,
		"error.type=timeout,":         fmt.Errorf("%w: %w", backend.ErrUnavailable, context.DeadlineExceeded),
		"error.type=contention,":      backend.ErrContention,
		"error.type=rejected,":        backend.ErrRejected,
		"error.type=unavailable,":     backend.ErrUnavailable,
		"error.type=outcome_unknown,": backend.ErrOutcomeUnknown,
		"error.type=_OTHER,":          errors.ErrUnsupported,
		"":                            nil,
	} {
		observer, read := observe(t, nil)
		observer.Observe(engine.Event{Kind: engine.EventStoreCall, Call: "read", Err: err})
		equal(t, read(), map[string]float64{"store.call.duration{" + want + "call=read}": 1})
	}
}

// Entities are attributes only if the option names them, and the number of series is bounded.
func TestCardinality(t *testing.T) {
	observer, read := observe(t, &otellimit.Options{MaxSeries: 2, Entity: func(id string) string {
		if id == "large" {
			return id
		}
		return ""
	}})
	for _, event := range []engine.Event{
		{Entity: "small", Resource: "a"},
		{Entity: "large", Resource: "a"},
		{Entity: "small", Resource: "b"},
		{Entity: "large", Resource: "c"},
		{Entity: "large", Resource: "a"},
	} {
		event.Kind = engine.EventDegraded
		observer.Observe(event)
	}
	equal(t, read(), map[string]float64{
		"degraded{resource=a}": 1, "degraded{entity=large,resource=a}": 2, "degraded{resource=_other}": 2,
	})
	if _, err := otellimit.New(nil, &otellimit.Options{MaxSeries: -1}); err == nil {
		t.Error("a negative MaxSeries is accepted")
	}
}

// Nothing is lost if many goroutines observe, and a closed observer reports nothing.
func TestConcurrentAndClose(t *testing.T) {
	observer, read := observe(t, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 500 {
				observer.Observe(engine.Event{Kind: engine.EventDegraded, Resource: fmt.Sprint(i % 50)})
			}
		})
	}
	group.Wait()
	got := read()
	for i := range 50 {
		if name := fmt.Sprintf("degraded{resource=%d}", i); got[name] != 80 {
			t.Errorf("%s is %v, want 80", name, got[name])
		}
	}
	if err := observer.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, read(), map[string]float64{})
}

// Observing allocates nothing: neither decisions nor calls to the store.
func TestAllocations(t *testing.T) {
	observer, read := observe(t, nil)
	r := request("a", engine.Tokens{"rpm": 1, "tpm": 2})
	r.Limits = []engine.Limit{engine.PerDay("rpm", 1_000_000), engine.PerDay("tpm", 1_000_000)}
	denied := r
	denied.Limits = []engine.Limit{engine.PerDay("rpm", 1), engine.PerDay("tpm", 1)}
	denied.Resource = "denied"
	denied.Consume = engine.Tokens{"tpm": 1}
	count := func(o engine.Observer, r engine.Request) float64 {
		l, err := engine.New(memory.New(nil), &engine.Options{Observer: o})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return testing.AllocsPerRun(200, func() {
			if _, err := l.Allow(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, r := range []engine.Request{r, denied} {
		if without, with := count(nil, r), count(observer, r); with > without {
			t.Errorf("%s: a decision allocates %v with metrics, %v without", r.Resource, with, without)
		}
	}
	call := engine.Event{Kind: engine.EventStoreCall, Call: "apply", Latency: time.Millisecond, Requests: 1, Units: 2}
	if n := testing.AllocsPerRun(200, func() { observer.Observe(call) }); n > 0 {
		t.Errorf("a call to the store allocates %v", n)
	}
	if got := read(); got["tokens{limit=tpm,resource=api}"] != 402 || got["store.requests{call=apply}"] != 201 {
		t.Error(got)
	}
}

// BenchmarkObserve tells what metrics add to a decision: an admission, and a denial from memory.
func BenchmarkObserve(b *testing.B) {
	observer, err := otellimit.New(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())), nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, e := range map[string]engine.Event{
		"admitted": {Kind: engine.EventDecision, Entity: "a", Resource: "api", Allowed: true, Attempts: 1, Tokens: engine.Tokens{"rpm": 1}},
		"denied":   {Kind: engine.EventDecision, Entity: "a", Resource: "api", Cached: true, Limit: "rpm", Level: engine.LevelSystem, Denier: "a"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				observer.Observe(e)
			}
		})
	}
}
