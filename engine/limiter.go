package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// DefaultNamespace is the one that exists without being registered.
const DefaultNamespace = "default"

// Limiter limits what entities use of resources, in one namespace of a store. Safe for concurrent use.
type Limiter struct {
	store     *store.Store
	admin     *changes.Admin
	opts      Options
	noIO      bool
	prefetch  bool // Options.Prefetch on a store with I/O
	pocket    pocket.Options
	noRegimes bool // the token check needs no regime: the store knows the greater of two numbers
	clock     clock
	follow    *follow.Follower
	cache     *cache
	limitSets limitset.Cache
	configs   configCache
	flights   singleflight.Group // configuration being read
	sweeps    sweeper
	alarm     alarm
	queues    queues         // of callers of Wait
	local     *local.Buckets // by which the process decides under PolicyLocal; nil: no Options.LocalShare
	reach     time.Duration  // how far ahead they reserve
	attempts  sync.Pool      // of *attempt
	policy    atomic.Uint32  // the Policy last seen stored for the system
	checked   atomic.Bool    // the schema's version was read
	warned    atomic.Int64   // when the last warning was logged, ns since the Unix epoch
	work      sync.Mutex     // guards running and idle
	running   int            // goroutines in the background
	idle      chan struct{}  // closed when none runs any more; nil before Close
	stop      context.CancelFunc
	ctx       context.Context // of background work
}

// New returns a limiter over a store, which the limiter does not close. It does no I/O, so trouble with the store shows at
// the first use. It returns a *ValidationError for bad options.
func New(b backend.Backend, o *Options) (*Limiter, error) {
	l := &Limiter{opts: o.withDefaults()}
	if b == nil {
		return nil, &ValidationError{"store", nil, "must not be nil; memory.New(nil) is one for tests"}
	}
	if err := namespaceRule.check("Options.Namespace", l.opts.Namespace); err != nil {
		return nil, err
	}
	share, err := l.opts.localShare()
	if err != nil {
		return nil, err
	}
	if err := checkUsable("Options.OnUnavailable", l.opts.OnUnavailable, l.opts.policies()); err != nil {
		return nil, err
	}
	if err := l.opts.Prefetch.check(); err != nil {
		return nil, err
	}
	if err := l.opts.checkInterval(); err != nil {
		return nil, err
	}
	var allowed bool
	if l.reach, allowed = reserve.Allowed(l.opts.MaxReserve); !allowed {
		return nil, &ValidationError{"Options.MaxReserve", l.opts.MaxReserve, "must be at most 1h; 0 means 1 minute, and less than 0 no reservations"}
	}
	l.clock.settable = l.opts.Now // nil: the system's
	l.store = store.New(l.storeOptions(b))
	caps := l.store.Capabilities()
	// bbolt knows the greater of two numbers, too, but is not asked for it: one process guesses right nearly always, and
	// the writes that DynamoDB gets are then tested without DynamoDB.
	l.noIO, l.noRegimes = caps.NoIO, caps.Max && caps.NoIO
	l.prefetch, l.pocket = l.opts.Prefetch != nil && !caps.NoIO, l.opts.pocket()
	if share > 0 {
		l.local = local.New(share, l.opts.CacheSize)
	}
	l.alarm.l = l
	l.follow = follow.New(l.followOptions())
	l.admin = l.newAdmin()
	l.cache = newCache(l.opts.CacheSize)
	l.attempts.New = func() any { return newAttempt(&l.opts) }
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.ctx.Done() // makes its channel, which otherwise would be that of a synctest bubble
	return l, nil
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
		Forget:        l.forget,
		SetPolicy:     func(p changes.Policy) { l.policy.Store(uint32(p)) },
		MissingParent: func(entity, parent string) error { return &MissingParentError{entity, parent} },
		Orphaned:      func(entity, child string) error { return &ParentError{entity, child} },
	}
}

// Close ends background work, waiting for it within Options.Timeout. Callers of Wait that wait get ErrClosed, and what they
// have reserved is refunded. The store stays open. Calls after it answer ErrClosed; a second Close does nothing.
func (l *Limiter) Close() error {
	if !l.shut() {
		return nil
	}
	l.stop()
	l.alarm.stop()
	for _, c := range l.alarm.all() {
		c.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(l.opts.Timeout, time.Millisecond))
	defer cancel()
	select {
	case <-l.finished():
	case <-ctx.Done():
	}
	return nil
}

// shut makes calls answer ErrClosed. It reports whether it is the first to do so.
func (l *Limiter) shut() bool {
	l.work.Lock()
	defer l.work.Unlock()
	return l.store.Close()
}

// finished is closed when nothing runs in the background any more.
func (l *Limiter) finished() <-chan struct{} {
	l.work.Lock()
	defer l.work.Unlock()
	done := make(chan struct{})
	if l.running == 0 {
		close(done)
	} else {
		l.idle = done
	}
	return done
}

// background runs f on a goroutine of its own; false if it does not, because the limiter is closed.
func (l *Limiter) background(f func(context.Context)) bool {
	l.work.Lock()
	defer l.work.Unlock()
	if l.store.Closed() {
		return false
	}
	l.startLocked(f)
	return true
}

// start is background for what must be done also while the limiter closes.
func (l *Limiter) start(f func(context.Context)) {
	l.work.Lock()
	defer l.work.Unlock()
	l.startLocked(f)
}

func (l *Limiter) startLocked(f func(context.Context)) {
	l.running++
	go func() {
		defer l.ended()
		f(l.ctx)
	}()
}

// ended ends background work.
func (l *Limiter) ended() {
	l.work.Lock()
	defer l.work.Unlock()
	if l.running--; l.running == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// warn logs, at most once a second.
func (l *Limiter) warn(ctx context.Context, now int64, msg string, args ...any) {
	last := l.warned.Load()
	if (now-last >= int64(time.Second) || now < last) && l.warned.CompareAndSwap(last, now) {
		l.opts.Logger.WarnContext(ctx, msg, args...)
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
