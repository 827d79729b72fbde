package aggregator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Window is a kind of time window, in UTC, for which usage is summed.
type Window = schema.Window

// The kinds of windows.
const (
	Hourly  = schema.Hourly
	Daily   = schema.Daily
	Monthly = schema.Monthly
)

// Options configure an aggregator; nil means all defaults.
type Options struct {
	// Windows are the kinds of windows for which usage is summed. Each costs one write per bucket in a batch. Default: Hourly
	// and Daily.
	Windows []Window

	// UsageRetention is how long a snapshot is kept after its window has ended, in whole seconds. Default: 90 days.
	UsageRetention time.Duration

	// AuditRetention is how long an audit event is kept, in whole seconds. Default: the expiry that the event was written with.
	AuditRetention time.Duration

	// Archive receives expired audit events. Default: nil, they are deleted.
	Archive Archive

	// Now returns the current time. Default: [time.Now].
	Now func() time.Time

	// Sleep waits between retries, and returns early with the context's error if that is done. Default: a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Archive stores files. Put is not called concurrently for one batch. It may be called again with the same name and content.
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
			return r, invalidOption("there is no window %q; there are hourly, daily and monthly", w)
		}
		if slices.Contains(r.Windows[:i], w) {
			return r, invalidOption("window %q comes twice", w)
		}
	}
	r.UsageRetention = cmp.Or(r.UsageRetention, defaultRetention)
	for name, d := range map[string]time.Duration{"UsageRetention": r.UsageRetention, "AuditRetention": r.AuditRetention} {
		if d < 0 || d%time.Second != 0 {
			return r, invalidOption("%s %v must be whole seconds, and not negative", name, d)
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
