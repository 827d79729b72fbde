package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// DefaultNamespace is the one that exists without being registered.
const DefaultNamespace = "default"

// Limiter limits what entities use of resources, in one namespace of a store. Safe for concurrent use.
type Limiter struct {
	store     backend.Backend
	opts      Options
	noIO      bool
	noRegimes bool // the token check needs no regime: the store knows the greater of two numbers
	prompt    bool // the store heeds contexts
	caps      backend.Capabilities
	clock     clock
	trust     int64 // age up to which configuration is used without a look at its refresh, ns
	cache     *cache
	limitSets limitSetCache
	configs   configCache
	flights   singleflight.Group // configuration being read
	breaker   breaker
	sweeps    sweeper
	events    eventIDs      // of audit events
	attempts  sync.Pool     // of *attempt
	policy    atomic.Uint32 // the Policy last seen stored for the system
	checked   atomic.Bool   // the schema's version was read
	warned    atomic.Int64  // when the last warning was logged, ns since the Unix epoch
	apart     atomic.Int64  // when it was last reported that the store's clock is another, likewise
	closed    atomic.Bool
	closing   sync.RWMutex // held for reading while background work is started
	work      sync.WaitGroup
	stop      context.CancelFunc
	ctx       context.Context // of background work
}

// New returns a limiter over a store, which the limiter does not close. It does no I/O, so trouble with the store shows at
// the first use. It returns a *ValidationError for bad options.
func New(store backend.Backend, o *Options) (*Limiter, error) {
	l := &Limiter{store: store, opts: o.withDefaults()}
	if store == nil {
		return nil, &ValidationError{"store", nil, "must not be nil; memory.New(nil) is one for tests"}
	}
	if err := namespaceRule.check("Options.Namespace", l.opts.Namespace); err != nil {
		return nil, err
	}
	if err := checkPolicy("Options.OnUnavailable", l.opts.OnUnavailable); err != nil {
		return nil, err
	}
	l.caps = store.Capabilities()
	// bbolt knows the greater of two numbers, too, but is not asked for it: one process guesses right nearly always, and
	// the writes that DynamoDB gets are then tested without DynamoDB.
	l.noIO, l.noRegimes, l.prompt = l.caps.NoIO, l.caps.Max && l.caps.NoIO, l.caps.HonorsContext
	l.clock.settable = l.opts.Now // nil: the system's
	l.trust = int64(l.opts.ConfigTTL) - int64(l.opts.ConfigTTL)/5
	l.cache = newCache(l.opts.CacheSize)
	l.attempts.New = func() any { return newAttempt(&l.opts) }
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l, nil
}

// Close ends background work, waiting for it within Options.Timeout. The store stays open. Calls after it answer
// ErrClosed; a second Close does nothing.
func (l *Limiter) Close() error {
	l.closing.Lock()
	first := l.closed.CompareAndSwap(false, true)
	l.closing.Unlock()
	if !first {
		return nil
	}
	l.stop()
	done := make(chan struct{})
	go func() {
		l.work.Wait()
		close(done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), max(l.opts.Timeout, time.Millisecond))
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return nil
}

// background runs f on a goroutine of its own; false if it does not, because the limiter is closed.
func (l *Limiter) background(f func(context.Context)) bool {
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closed.Load() {
		return false
	}
	l.work.Go(func() { f(l.ctx) })
	return true
}

// now is the clock, in ns since the Unix epoch.
func (l *Limiter) now() (int64, error) {
	t := l.clock.now()
	if t < bucket.MinTime || t > bucket.MaxTime {
		return 0, errClock(t)
	}
	return t, nil
}

// warn logs, at most once a second.
func (l *Limiter) warn(ctx context.Context, now int64, msg string, args ...any) {
	last := l.warned.Load()
	if (now-last >= int64(time.Second) || now < last) && l.warned.CompareAndSwap(last, now) {
		l.opts.Logger.WarnContext(ctx, msg, args...)
	}
}
