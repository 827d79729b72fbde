package engine

import (
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Options configure a limiter. The zero value of each field is its default; nil options are all defaults.
type Options struct {
	Namespace       string        // default "default"; others must be registered
	CreateNamespace bool          // register Namespace at first use where it is missing
	OnUnavailable   Policy        // default: what is stored for the system, else PolicyBlock
	Timeout         time.Duration // budget of one operation on the store, default 1 s; < 0: none but the caller's context
	ConfigTTL       time.Duration // how long configuration is trusted unread, default 60 s; < 0: not at all
	DenialTTL       time.Duration // how long a denial is repeated from memory, default 1 s; < 0: not at all
	MaxHold         time.Duration // how long after its charge a lease may give back, default 1 h; < 0: not at all. A bucket's record is kept until it is full, and for MaxHold and 10 minutes more
	CacheSize       int           // buckets remembered, default 100,000; < 0: one
	Principal       string        // who audit events name, default none
	Observer        Observer      // default none
	Logger          *slog.Logger  // default slog.Default()

	Now   func() time.Time                           // default the system's clock
	Sleep func(context.Context, time.Duration) error // default a timer; returns ctx's error if that ends first
}

// withDefaults replaces zero values by defaults, and negative durations, which mean off, by zero.
func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Namespace == "" {
		r.Namespace = DefaultNamespace
	}
	r.Timeout = orDefault(r.Timeout, time.Second)
	r.ConfigTTL = orDefault(r.ConfigTTL, time.Minute)
	r.DenialTTL = orDefault(r.DenialTTL, time.Second)
	r.MaxHold = orDefault(r.MaxHold, time.Hour)
	switch {
	case r.CacheSize == 0:
		r.CacheSize = 100_000
	case r.CacheSize < 0:
		r.CacheSize = 1
	}
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	if r.Sleep == nil {
		r.Sleep = pause.For
	}
	return r
}

// anchorFor is how long the wall clock is followed by the monotonic one before it is looked at again.
const anchorFor = time.Second

// clock is the system's wall clock in ns since the Unix epoch, or a settable one. Reading the monotonic clock only
// costs half of time.Now, and time.Now would be a quarter of an acquire on the memory store.
type clock struct {
	settable func() time.Time
	anchor   atomic.Pointer[anchor]
}

// anchor is an instant by both clocks.
type anchor struct {
	at   time.Time // with the monotonic one's reading
	wall int64
}

func (c *clock) now() int64 {
	if c.settable != nil {
		return c.settable().UnixNano()
	}
	if a := c.anchor.Load(); a != nil {
		if since := time.Since(a.at); since < anchorFor {
			return a.wall + int64(since)
		}
	}
	at := time.Now()
	a := &anchor{at, at.UnixNano()}
	c.anchor.Store(a)
	return a.wall
}

// remaining is how long ctx lasts. Deadlines are of the system's clock, whatever Options.Now says.
func remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return time.Until(deadline)
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(d, 0)
}
