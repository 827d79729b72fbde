package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/alarm"
	"github.com/zeroae/zae-limiter-go/engine/internal/background"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
	"github.com/zeroae/zae-limiter-go/engine/internal/names"
	"github.com/zeroae/zae-limiter-go/engine/internal/queue"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/quiet"
)

// DefaultNamespace is the namespace that exists without being registered.
const DefaultNamespace = changes.DefaultNamespace

// Limiter limits what entities use of resources, in one namespace of a store. Safe for concurrent use.
type Limiter struct {
	store     *store.Store
	admin     *changes.Admin
	opts      Options
	clock     clock
	follow    *follow.Follower
	alarm     alarm.Alarm
	charger   *charge.Charger
	settler   *settle.Settler
	queues    *queue.Queues     // of callers of Wait
	writeBack *settle.WriteBack // has the buckets by which the process decides under PolicyLocal; nil: no Options.LocalShare
	sweeper   store.Sweeper
	attempts  sync.Pool   // of *attempt
	checked   atomic.Bool // the schema's version was read
	warned    quiet.Line  // all warnings that callers cause
	work      *background.Group
}

// New returns a limiter over a store, which the limiter does not close. It does no I/O, so trouble with the store shows at
// the first use. It returns a *ValidationError for bad options.
func New(b backend.Backend, o *Options) (*Limiter, error) {
	l := &Limiter{opts: o.withDefaults()}
	if b == nil {
		return nil, &ValidationError{"store", nil, "must not be nil; memory.New(nil) is one for tests"}
	}
	if err := checkName(names.Namespace, "Options.Namespace", l.opts.Namespace); err != nil {
		return nil, err
	}
	share, err := l.opts.localShare()
	if err != nil {
		return nil, err
	}
	if err := checkUsable("Options.OnUnavailable", l.opts.OnUnavailable, l.opts.lastPolicy()); err != nil {
		return nil, err
	}
	if err := l.opts.Prefetch.check(); err != nil {
		return nil, err
	}
	if err := l.opts.checkInterval(); err != nil {
		return nil, err
	}
	reach, allowed := reserve.Allowed(l.opts.MaxReserve)
	if !allowed {
		return nil, &ValidationError{"Options.MaxReserve", l.opts.MaxReserve, "must be at most 1h; 0 means 1 minute, and less than 0 no reservations"}
	}
	l.clock.settable = l.opts.Now // nil: the system's
	l.store = store.New(l.storeOptions(b))
	l.sweeper.Store, l.sweeper.OnFailure = l.store, l.reportSweep
	l.work = background.New()
	l.sweeper.Go = l.work.Go
	l.alarm.Now, l.alarm.Sleep, l.alarm.Go = l.clock.now, l.opts.Sleep, l.work.Go
	l.follow = follow.New(l.followOptions())
	l.charger = charge.New(l.chargerOptions())
	l.settler = settle.New(l.charger)
	if share > 0 {
		l.writeBack = &settle.WriteBack{Settler: l.settler, Buckets: local.New(share, l.opts.CacheSize), Convert: l.convertOwed, Lost: l.reportLostUsage}
	}
	l.queues = queue.New(l.work.Context(), l.settler, reach)
	l.admin = l.newAdmin()
	l.attempts.New = func() any { return l.newAttempt() }
	return l, nil
}

// chargerOptions let the charger use the store, and tell the observer and the log what it meets.
func (l *Limiter) chargerOptions() charge.Options {
	return charge.Options{
		Store: l.store, Follow: l.follow, Alarm: &l.alarm, Namespace: l.opts.Namespace, CacheSize: l.opts.CacheSize,
		Timeout: l.opts.Timeout, DenialTTL: l.opts.DenialTTL, MaxHold: l.opts.MaxHold,
		Prefetch: l.opts.Prefetch != nil && !l.store.Capabilities().NoIO, Pocket: l.opts.pocket(), Watched: l.opts.Observer != nil,
		Now: l.clock.now, Sleep: l.opts.Sleep, Go: l.work.Go, Start: l.work.Start,
		CheckID: checkBucket, CheckLimits: checkGiven, TooManyLimits: tooManyLimits, Report: l.reportBucket,
	}
}

// storeOptions lets the store tell the observer and the log what it meets.
func (l *Limiter) storeOptions(b backend.Backend) store.Options {
	o := store.Options{
		Backend: b, Timeout: l.opts.Timeout, Now: l.clock.now, Sleep: l.opts.Sleep, Logger: l.opts.Logger,
		OnSkip: l.reportSkipped, OnClockAhead: l.reportStoreClock,
	}
	if l.opts.Observer != nil {
		o.OnCall = func(c store.Call) {
			l.observe(Event{Kind: EventStoreCall, Call: c.Name, Latency: c.Latency, Requests: c.Requests, Units: c.Units, Err: c.Err})
		}
	}
	return o
}

// newAdmin lets the changes that this limiter makes take effect in it at once.
func (l *Limiter) newAdmin() *changes.Admin {
	return &changes.Admin{
		Store: l.store, Follower: l.follow, Namespace: l.opts.Namespace, Principal: l.opts.Principal, Now: l.now,
		Forget: l.forget, ForgetNamespace: l.forgetNamespace,
		SetPolicy:     func(p changes.Policy) { l.charger.Policy.Store(uint32(p)) },
		MissingParent: func(entity, parent string) error { return &MissingParentError{entity, parent} },
		Orphaned:      func(entity, child string) error { return &ParentError{entity, child} },
	}
}

// Close ends background work, waiting for it within Options.Timeout. Callers of Wait that wait get ErrClosed, and what they
// have reserved is refunded. The store stays open. Calls after it return ErrClosed; a second Close does nothing.
func (l *Limiter) Close() error {
	if !l.work.Shut(l.store.Close) { // calls answer ErrClosed from now on
		return nil
	}
	l.work.Stop()
	l.alarm.Stop()
	for _, c := range l.alarm.All() {
		c.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(l.opts.Timeout, time.Millisecond))
	defer cancel()
	select {
	case <-l.work.Finished():
	case <-ctx.Done():
	}
	return nil
}

// warn logs, at most once a second.
func (l *Limiter) warn(ctx context.Context, now int64, msg string, args ...any) {
	if omitted, due := l.warned.Due(time.Unix(0, now)); due {
		l.opts.Logger.WarnContext(ctx, msg, append(args, "omitted", omitted)...)
	}
}

// reportSkipped reports what a list has skipped.
func (l *Limiter) reportSkipped(ctx context.Context, s store.Skipped) {
	l.observe(Event{Kind: EventSkipped, Call: "list", Skipped: s.N, Err: s.Err})
	l.warn(ctx, l.clock.now(), "limiter: a list skips records that it cannot read", "namespace", l.opts.Namespace, "skipped", s.N, "error", s.Err)
}

// reportStoreClock reports that the store's clock is ahead of this machine's, or behind.
func (l *Limiter) reportStoreClock(ctx context.Context, ahead time.Duration) {
	l.observe(Event{Kind: EventStoreClock, Ahead: ahead})
	l.opts.Logger.WarnContext(ctx, "limiter: the store's clock and this machine's differ; set this machine's by a time service", "ahead", ahead)
}

// reportSweep reports that dropping expired records has failed.
func (l *Limiter) reportSweep(ctx context.Context, now int64, err error) {
	l.warn(ctx, now, "limiter: dropping expired records failed", "error", err)
}
