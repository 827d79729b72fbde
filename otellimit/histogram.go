package otellimit

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// seconds are the boundaries of times that callers take.
var seconds = metric.WithExplicitBucketBoundaries(.001, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

// histogram is a metric of times, whose attributes are made once.
type histogram struct {
	table[timeLabels, recording]
	metric metric.Float64Histogram
}

// timeLabels are what the attributes of a time are made of.
type timeLabels struct {
	resource, entity string
	key, value       string // what has ended, and how
}

// recording is what recording a time needs, to allocate nothing.
type recording struct{ with []metric.RecordOption }

func (h *histogram) record(d time.Duration, l timeLabels, most int) {
	r := h.get(l)
	if r == nil {
		r = h.add(l, timeLabels{"_other", "", l.key, l.value}, most, newRecording)
	}
	h.metric.Record(context.Background(), d.Seconds(), r.with...)
}

func newRecording(l timeLabels) *recording {
	all := []attribute.KeyValue{attribute.String("zae_limiter.resource", l.resource), attribute.String("zae_limiter."+l.key, l.value)}
	if l.entity != "" {
		all = append(all, attribute.String("zae_limiter.entity", l.entity))
	}
	return &recording{[]metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}}
}
