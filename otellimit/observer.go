package otellimit

import (
	"context"
	"errors"
	"math"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/zeroae/zae-limiter-go/engine"
)

const scope = "github.com/zeroae/zae-limiter-go/otellimit"

// Observer counts the events of limiters. One observer can serve several limiters, whose numbers are added up. Safe for
// concurrent use.
type Observer struct {
	options Options

	admissions                                table[place, admissions]
	recent                                    [slots]atomic.Pointer[admissions]
	decisions, tokens, degraded, lost, events counter
	active                                    counter // of leases: may be counted down
	attempts                                  metric.Int64ObservableCounter
	registration                              metric.Registration

	ages ages

	waits, leases histogram

	calls    table[callLabels, call]
	duration metric.Float64Histogram
	requests metric.Int64Counter
	units    metric.Float64Counter
}

// New returns an observer that reports to provider, or to the global MeterProvider if provider is nil. The error is that of an
// invalid option, or the provider's.
func New(provider metric.MeterProvider, o *Options) (*Observer, error) {
	r := &Observer{options: o.withDefaults()}
	if r.options.MaxSeries < 0 {
		return nil, errMaxSeries
	}
	for _, kind := range otherEvents { // so that they begin with 0, and Prometheus sees the first event
		r.eventsOf(kind)
	}
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	if err := r.create(provider.Meter(scope)); err != nil {
		return nil, err
	}
	return r, nil
}

// create creates the instruments.
func (o *Observer) create(m metric.Meter) error {
	var failed error
	count := func(name, unit, description string) metric.Int64ObservableCounter {
		c, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		failed = errors.Join(failed, err)
		return c
	}
	o.decisions.metric = count("zae_limiter.decisions", "{decision}", "Requests that were admitted or denied.")
	o.attempts = count("zae_limiter.decision.attempts", "{attempt}", "Writes that decisions took.")
	o.tokens.metric = count("zae_limiter.tokens", "{token}", "Tokens that admitted requests took, before adjustments.")
	o.degraded.metric = count("zae_limiter.degraded", "{decision}", "Requests that were admitted without the store, by policy.")
	o.lost.metric = count("zae_limiter.refunds.lost", "{token}", "Tokens that were to be refunded and may stay charged.")
	o.events.metric = count("zae_limiter.events", "{event}", "Other events, by kind.")

	var err error
	o.active.metric, err = m.Int64ObservableUpDownCounter("zae_limiter.active_leases", metric.WithUnit("{lease}"),
		metric.WithDescription("Leases that are neither committed nor rolled back."))
	failed = errors.Join(failed, err)
	o.waits.metric, err = m.Float64Histogram("zae_limiter.wait.duration", metric.WithUnit("s"),
		metric.WithDescription("How long callers of Wait waited for their tokens, or until they were denied."), seconds)
	failed = errors.Join(failed, err)
	o.leases.metric, err = m.Float64Histogram("zae_limiter.lease.duration", metric.WithUnit("s"),
		metric.WithDescription("How long leases were held until they were committed or rolled back."), seconds)
	failed = errors.Join(failed, err)
	o.duration, err = m.Float64Histogram("zae_limiter.store.call.duration", metric.WithUnit("s"),
		metric.WithDescription("How long calls to the store took."),
		metric.WithExplicitBucketBoundaries(.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5))
	failed = errors.Join(failed, err)
	o.requests, err = m.Int64Counter("zae_limiter.store.requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that calls sent to the store."))
	failed = errors.Join(failed, err)
	o.units, err = m.Float64Counter("zae_limiter.store.units", metric.WithUnit("{unit}"),
		metric.WithDescription("Read and write units that calls consumed."))
	failed = errors.Join(failed, err)
	if failed != nil {
		return failed
	}
	o.registration, err = m.RegisterCallback(o.report,
		o.decisions.metric, o.attempts, o.tokens.metric, o.degraded.metric, o.lost.metric, o.events.metric, o.active.metric)
	return err
}

// report tells the SDK the sums.
func (o *Observer) report(_ context.Context, to metric.Observer) error {
	o.forget(systemClock())
	for _, c := range [...]*counter{&o.decisions, &o.tokens, &o.degraded, &o.lost, &o.events, &o.active} {
		c.report(to)
	}
	for _, s := range o.decisions.all() {
		to.ObserveInt64(o.attempts, s.attempts.Load(), s.attributes...)
	}
	return nil
}

// Close ends the reports of the counters. Events that are observed later count nowhere.
func (o *Observer) Close() error { return o.registration.Unregister() }

// Observe implements [engine.Observer]. It allocates nothing, but for the first event of a combination of attributes.
func (o *Observer) Observe(e engine.Event) {
	switch e.Kind {
	case engine.EventDecision:
		o.decided(&e)
	case engine.EventStoreCall:
		o.called(&e)
	case engine.EventLeaseEnded:
		result := "rolled_back"
		if e.Allowed {
			result = "committed"
		}
		o.addActive(e.Resource, -1)
		o.leases.record(e.Held, timeLabels{e.Resource, o.options.Entity(e.Entity), "result", result}, o.options.MaxSeries)
	case engine.EventDegraded:
		l := o.labels(&e)
		o.degraded.of(&l, o.options.MaxSeries).count.Add(1)
	case engine.EventRefundLost:
		o.addTokens(&o.lost, &e)
	default:
		o.eventsOf(e.Kind).count.Add(1)
	}
}

// otherEvents are the events that have no metric of their own.
var otherEvents = [...]engine.EventKind{
	engine.EventClockAhead, engine.EventLargeRecord, engine.EventContention, engine.EventStoreClock, engine.EventRefresh, engine.EventSkipped,
	engine.EventConfigChanged, engine.EventUsageLost,
}

// eventsOf returns the series of a kind of events. There are few kinds.
func (o *Observer) eventsOf(kind engine.EventKind) *series {
	return o.events.of(&labels{kind: kind}, math.MaxInt)
}

func (o *Observer) labels(e *engine.Event) labels {
	return labels{resource: e.Resource, entity: o.options.Entity(e.Entity)}
}

func (o *Observer) decided(e *engine.Event) {
	if e.Waited > 0 {
		o.waits.record(e.Waited, timeLabels{e.Resource, o.options.Entity(e.Entity), "outcome", outcome(e.Allowed)}, o.options.MaxSeries)
	}
	if e.Leased {
		o.addActive(e.Resource, 1)
	}
	if e.Allowed {
		o.admitted(e)
		return
	}
	l := o.labels(e)
	l.kind, l.source = e.Kind, sourceOf(e)
	if e.Limit != "" {
		l.limit, l.level, l.parent = e.Limit, e.Level, e.Denier != e.Entity
	}
	o.decisions.of(&l, o.options.MaxSeries).decided(e)
}

// addActive counts leases. They have no entity: which ids are attributes may change while one is held.
func (o *Observer) addActive(resource string, n int64) {
	o.active.of(&labels{resource: resource}, o.options.MaxSeries).count.Add(n)
}

func (o *Observer) addTokens(to *counter, e *engine.Event) {
	l := o.labels(e)
	for limit, n := range e.Tokens {
		if n == 0 {
			continue
		}
		l.limit = limit
		to.of(&l, o.options.MaxSeries).count.Add(n)
	}
}

func (o *Observer) called(e *engine.Event) {
	l := callLabels{call: e.Call, errorType: errorType(e.Err)}
	c, ctx := o.calls.get(l), context.Background()
	if c == nil {
		c = o.calls.add(l, l, o.options.MaxSeries, newCall)
	}
	o.duration.Record(ctx, e.Latency.Seconds(), c.record...)
	if e.Requests > 0 {
		o.requests.Add(ctx, int64(e.Requests), c.add...)
	}
	if e.Units > 0 {
		o.units.Add(ctx, e.Units, c.add...)
	}
}
