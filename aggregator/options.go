package aggregator

import (
	"context"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Window is a kind of span of time, in UTC, for which usage is added up.
type Window = schema.Window

// The kinds of windows.
const (
	Hourly  = schema.Hourly
	Daily   = schema.Daily
	Monthly = schema.Monthly
)

// Options are how usage is added up; nil is fine.
type Options struct {
	// Windows are the kinds for which usage is added up; each costs a write for every bucket in a batch. Default: Hourly
	// and Daily.
	Windows []Window

	// UsageRetention is how long a snapshot is kept after its window has ended, in whole seconds. Default: 90 days.
	UsageRetention time.Duration

	// AuditRetention is how long an audit event is kept, in whole seconds. Default: as long as it was written for.
	AuditRetention time.Duration

	// Archive gets audit events when they have expired. Default: nil, they are gone.
	Archive Archive

	// Now is the clock. Default: the system's.
	Now func() time.Time

	// Sleep waits between the tries of a write, until the context is done. Default: it really waits.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Archive keeps files. Put is called by one goroutine at a time, and again with the same name and content where changes come
// again.
type Archive interface {
	Put(ctx context.Context, name string, content []byte) error
}

const defaultRetention = 90 * 24 * time.Hour

func (o *Options) withDefaults() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	r.Windows = slices.Clone(r.Windows)
	if len(r.Windows) == 0 {
		r.Windows = []Window{Hourly, Daily}
	}
	for i, w := range r.Windows {
		if !slices.Contains(schema.Windows, w) {
			return r, badOption("there is no window %q; there are hourly, daily and monthly", w)
		}
		if slices.Contains(r.Windows[:i], w) {
			return r, badOption("window %q comes twice", w)
		}
	}
	if r.UsageRetention == 0 {
		r.UsageRetention = defaultRetention
	}
	for name, d := range map[string]time.Duration{"UsageRetention": r.UsageRetention, "AuditRetention": r.AuditRetention} {
		if d < 0 || d%time.Second != 0 {
			return r, badOption("%s %v must be whole seconds, and not negative", name, d)
		}
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Sleep == nil {
		r.Sleep = pause.For
	}
	return r, nil
}
