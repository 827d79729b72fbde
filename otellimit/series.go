package otellimit

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/zeroae/zae-limiter-go/engine"
)

// source is where a decision came from.
type source uint8

const (
	fromStore source = iota
	fromMemory
	fromLocal // by the policy Local, without the store
	sources   // how many there are
)

// String returns the value of the attribute.
func (s source) String() string { return [sources]string{"store", "memory", "local"}[s] }

func sourceOf(e *engine.Event) source {
	switch {
	case e.Degraded:
		return fromLocal
	case e.Cached:
		return fromMemory
	}
	return fromStore
}

// labels are what the attributes of a series are made of. It is small, because each decision hashes it.
type labels struct {
	resource, entity, limit string
	kind                    engine.EventKind
	level                   engine.Level
	source                  source
	allowed, parent         bool
}

func (l labels) set() attribute.Set {
	var all []attribute.KeyValue
	add := func(key, value string) {
		if value != "" {
			all = append(all, attribute.String("zae_limiter."+key, value))
		}
	}
	add("resource", l.resource)
	add("entity", l.entity)
	add("limit", l.limit)
	if l.kind == engine.EventDecision {
		add("outcome", outcome(l.allowed))
		add("source", l.source.String())
		if l.limit != "" {
			add("level", l.level.String())
			add("denier", map[bool]string{true: "parent", false: "entity"}[l.parent])
		}
	} else if l.kind != 0 {
		add("kind", l.kind.String())
	}
	return attribute.NewSet(all...)
}

func outcome(allowed bool) string {
	if allowed {
		return "admitted"
	}
	return "denied"
}

// other is the series that counts what has none of its own.
func (l labels) other() labels {
	l.resource, l.entity, l.limit = "_other", "", ""
	l.level, l.parent = engine.LevelNone, false
	return l
}

// series counts one combination of attributes.
type series struct {
	count, attempts atomic.Int64
	attributes      []metric.ObserveOption
}

func newSeries(l labels) *series {
	return &series{attributes: []metric.ObserveOption{metric.WithAttributeSet(l.set())}}
}

// decided counts a decision.
func (s *series) decided(e *engine.Event) {
	s.count.Add(1)
	if e.Attempts > 0 {
		s.attempts.Add(int64(e.Attempts))
	}
}

// counter is a metric whose series are added to without a call to the SDK, which asks for the sums when it exports.
type counter struct {
	table[labels, series]
	metric metric.Int64Observable
}

func (c *counter) of(l *labels, most int) *series {
	if s := c.get(*l); s != nil {
		return s
	}
	return c.add(*l, l.other(), most, newSeries)
}

func (c *counter) report(o metric.Observer) {
	for _, s := range c.all() {
		o.ObserveInt64(c.metric, s.count.Load(), s.attributes...)
	}
}

// callLabels are what the attributes of a call to the store are made of.
type callLabels struct{ call, errorType string }

// call is what one kind of call to the store needs, to record one without allocating.
type call struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

func newCall(l callLabels) *call {
	attributes := []attribute.KeyValue{attribute.String("zae_limiter.call", l.call)}
	if l.errorType != "" {
		attributes = append(attributes, attribute.String("error.type", l.errorType))
	}
	with := metric.WithAttributeSet(attribute.NewSet(attributes...))
	return &call{record: []metric.RecordOption{with}, add: []metric.AddOption{with}}
}
