package otellimit

import "time"

// Options configure an observer. The zero value of each field is its default; nil options are all defaults.
type Options struct {
	// Entity returns the value of the attribute zae_limiter.entity for an entity's id, or "" for none. Each value is a time series
	// of its own in each metric, so return few: for example the ids of large customers, or of the busiest entities ([Top]). It is called several times for each
	// decision, concurrently. The counters forget a value that has had no event for an hour; the SDK keeps its histograms. Default:
	// no metric has the attribute.
	Entity func(id string) string

	// MaxSeries bounds the combinations of attributes of each metric, at least 1. What comes later is counted under the resource
	// _other, without limit and entity. OpenTelemetry's SDK has a bound of its own, 2000 if the program sets no other. Default: 1000.
	MaxSeries int
}

const defaultMaxSeries = 1000

// systemClock says when entities are forgotten.
var systemClock = time.Now

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Entity == nil {
		r.Entity = func(string) string { return "" }
	}
	if r.MaxSeries == 0 {
		r.MaxSeries = defaultMaxSeries
	}
	return r
}
