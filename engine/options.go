package engine

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Options configure a limiter. The zero value of each field is its default; nil options are all defaults.
type Options struct {
	Namespace       string           // default "default"; others must be registered
	CreateNamespace bool             // register Namespace at first use if it is missing
	OnUnavailable   Policy           // default: what is stored for the system, else PolicyBlock
	LocalShare      float64          // the part of each limit that this process may admit by itself under PolicyLocal, which needs it: in (0, 1]; nine decimals count. N processes with the share 1/N admit about the whole limit
	Timeout         time.Duration    // budget of one operation on the store, default 1 s; < 0: unlimited. At most 4/5 of what the context has left
	FollowInterval  time.Duration    // how often the limiter looks for changes of the configuration by others while it is used, 10 ms to ConfigTTL, default 1 s; < 0: never
	ConfigTTL       time.Duration    // how long configuration is used without looking for changes, or without success, default 60 s; < 0: it is read each time
	DenialTTL       time.Duration    // how long a denial is repeated from memory, default 1 s; < 0: not at all
	MaxHold         time.Duration    // how long after its charge a lease may refund, default 1 h; < 0: not at all. A bucket's record is kept until it is full, and for MaxHold and 10 minutes more
	MaxReserve      time.Duration    // how far ahead Wait reserves tokens, at most 1 h, default 1 min; < 0: not at all. See Limiter.Wait
	CacheSize       int              // buckets remembered, default 100,000; < 0: one
	Prefetch        *PrefetchOptions // tokens of hot buckets are bought in advance; default nil, exact mode
	Principal       string           // whom audit events name as the author of a change, default none
	Observer        Observer         // default none
	Logger          *slog.Logger     // default slog.Default()

	// Now is the clock, used as given. Default: the system's clock as it was when the process started, plus the monotonic
	// time since, so that it never steps back. A wall clock that is set afterwards counts from the next start.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error // default a timer; returns ctx's error if that ends first
}

// PrefetchOptions let a process buy tokens of a hot bucket in advance, so that most acquires cost no I/O. In any interval T all
// processes together admit at most capacity + rate·(T + MaxAge), besides what is rolled back in bulk; a process that dies
// loses at most four fifths of what it admitted in the last MaxAge. Stores without I/O ignore it. Zero values are defaults.
type PrefetchOptions struct {
	Target   time.Duration // how long the tokens that one write buys last, default 100 ms; at most MaxAge/10
	MaxAge   time.Duration // bounds what may be admitted beyond a limit, at least 1 s, which is the default
	MaxShare float64       // the largest part of a bucket's tokens that one write buys if other processes buy, too: in (0, 1], default 0.1
}

// check returns a *ValidationError for values out of range.
func (o *PrefetchOptions) check() error {
	if o == nil {
		return nil
	}
	age := max(o.MaxAge, 0)
	if age == 0 {
		age = pocket.DefaultMaxAge
	}
	switch {
	case o.MaxAge != 0 && o.MaxAge < time.Second:
		return &ValidationError{"Options.Prefetch.MaxAge", o.MaxAge, "must be at least 1s, or 0 for the default of 1s"}
	case o.Target < 0 || o.Target > age/10:
		return &ValidationError{"Options.Prefetch.Target", o.Target, "must be at most a tenth of MaxAge, or 0 for the default of 100ms"}
	case !(o.MaxShare >= 0 && o.MaxShare <= 1):
		return &ValidationError{"Options.Prefetch.MaxShare", o.MaxShare, "must be above 0 and at most 1, or 0 for the default of 0.1"}
	}
	return nil
}

// pocket is how hot buckets are shared: exactly, or with tokens bought in advance.
func (o *Options) pocket() pocket.Options {
	p := pocket.Options{DenialTTL: max(o.DenialTTL, 1)}
	if f := o.Prefetch; f != nil {
		p.Prefetch, p.Target, p.MaxAge = true, f.Target, f.MaxAge
		p.MaxShare = int64(math.Ceil(f.MaxShare * 1000))
	}
	return p
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
	if r.FollowInterval == 0 {
		r.FollowInterval = min(time.Second, r.ConfigTTL)
	}
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

// lastPolicy is the last policy that may be named: PolicyLocal needs a share.
func (o *Options) lastPolicy() Policy {
	if o.LocalShare == 0 {
		return PolicyAllow
	}
	return PolicyLocal
}

// localShare returns LocalShare, 0 if there is none.
func (o *Options) localShare() (local.Share, error) {
	if o.LocalShare == 0 {
		return 0, nil
	}
	share, valid := local.ShareOf(o.LocalShare)
	if !valid {
		return 0, &ValidationError{"Options.LocalShare", o.LocalShare, "must be above 0 and at most 1; with N processes, 1/N"}
	}
	return share, nil
}

// shortestInterval is the least FollowInterval.
const shortestInterval = 10 * time.Millisecond

// checkInterval checks FollowInterval, of options with defaults.
func (o *Options) checkInterval() error {
	if i := o.FollowInterval; i > 0 && o.ConfigTTL > 0 && (i < min(shortestInterval, o.ConfigTTL) || i > o.ConfigTTL) {
		return &ValidationError{"Options.FollowInterval", i, "must be 10 ms to Options.ConfigTTL; 0 means 1 s, and less than 0 no looks"}
	}
	return nil
}

// started is when the process started, by the wall clock and by the monotonic one.
var (
	started     = time.Now()
	startedUnix = started.UnixNano()
)

// clock is the system's clock in ns since the Unix epoch, or a settable one. The system's is the wall clock as it was when
// the process started, plus the monotonic time since: it never steps back, whatever is done to the wall clock.
type clock struct {
	settable func() time.Time
}

func (c *clock) now() int64 {
	if c.settable != nil {
		return c.settable().UnixNano()
	}
	return startedUnix + int64(time.Since(started))
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(d, 0)
}

// now is the clock, in ns since the Unix epoch.
func (l *Limiter) now() (int64, error) {
	t := l.clock.now()
	if !bucket.InRange(t) {
		return 0, charge.BadClock(t)
	}
	return t, nil
}
