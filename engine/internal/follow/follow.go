package follow

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Store is what a Follower asks of the store.
type Store interface {
	// List makes one call of the backend's List.
	List(ctx context.Context, q backend.Query) (backend.Keys, error)
	// Read returns the records of keys, consistently. Beside a *backend.UnreadableError it returns those that can be read.
	Read(ctx context.Context, keys []backend.Key) ([]backend.Record, error)
}

// Options configure a Follower. Store, Namespace, TTL, Size and Go must be set.
type Options struct {
	Store     Store         // what is listed and read
	Namespace string        // whose configuration is followed
	Interval  time.Duration // a look that is older is due; 0 or less: there are no looks
	TTL       time.Duration // how old a record may be that no look vouches for; 0: every use reads it
	Size      int           // the most limits of entities for resources that are kept
	Patience  time.Duration // how long Follow waits for a look; 0: not at all

	// Go runs a look, on a goroutine or at once, with a context that ends when the limiter closes; false if it does not.
	Go func(func(context.Context)) bool

	CheckKeys func() []backend.Key                          // the records that Check needs, such as the namespace's registration; nil: none
	Check     func(context.Context, []backend.Record) error // returns an error if the namespace cannot be used; nil if CheckKeys is
	Share     func(packed string) string                    // returns one string for all equal ones; nil: strings are kept as they are

	OnChange   func(Change)                         // called for each change that a look finds; nil: none
	OnAhead    func(id string, ahead time.Duration) // called if a look finds new events more than a minute ahead, for the last of them; nil: none
	OnFailure  func(ctx context.Context, err error) // called for each look that fails; nil: none
	OnUnusable func(ctx context.Context, err error) // called once if looks fail for so long that records are read after TTL; nil: none
}

// Follower keeps the configuration of one namespace, and follows its changes. Times are in ns since the Unix epoch. Safe for
// concurrent use.
type Follower struct {
	seq         atomic.Uint64 // grows when something in memory is dropped or replaced; not 0
	from, until atomic.Int64  // nothing is due from ≤ now < until
	vouched     atomic.Int64  // when the last look that succeeded began; 0: none did
	gone        atomic.Pointer[error]

	o        Options
	entities *table[entity]
	shared   *table[shared] // resources by name, and the system, which is ""
	history  history

	lock     sync.Mutex // guards what follows
	flight   *flight    // the look under way
	failures int        // of looks, in a row
	said     bool       // that the index is unusable

	// Only the look under way uses these.
	registered int64 // version of the namespace's registration; 0: not read
	flooded    int64 // when too many new events last dropped everything
	alarmed    int64 // when events far ahead last dropped everything
}

// mostShared is the most resources that are kept.
const mostShared = 10_000

// New returns a Follower that knows nothing. It does no I/O.
func New(o Options) *Follower {
	f := &Follower{o: o, entities: newTable[entity](o.Size), shared: newTable[shared](mostShared)}
	f.seq.Store(1)
	return f
}

// Fresh reports whether a Config with that sequence number is still the one to use, and no look is due.
func (f *Follower) Fresh(seq uint64, now int64) bool {
	return seq == f.seq.Load() && now >= f.from.Load() && now < f.until.Load()
}

// quiet reports whether no look is due.
func (f *Follower) quiet(now int64) bool { return now >= f.from.Load() && now < f.until.Load() }

// off reports whether there are no looks.
func (f *Follower) off() bool { return f.o.Interval <= 0 || f.o.TTL <= 0 }

// Follow starts a look if one is due. It waits for it only if no look vouches for what is in memory, as after a pause of
// more than Options.TTL, and no longer than Options.Patience, or if the namespace was gone. It returns what Options.Check said last. The failure of a look is
// no error: what is in memory grows older by it.
func (f *Follower) Follow(ctx context.Context, now int64) error {
	switch {
	case f.gone.Load() != nil:
		f.Look(ctx, now, 0)
	case f.quiet(now):
	case f.off():
		f.lock.Lock()
		f.rest(now, f.o.TTL/5)
		f.lock.Unlock()
		f.seq.Add(1) // so that the ages of records are compared again
	case f.old(f.vouched.Load(), now) < f.o.TTL:
		f.join(now, func() bool { return f.quiet(now) })
	default:
		f.await(ctx, now)
	}
	return f.namespace()
}

// await waits for a look, unless the last one has failed. It leaves the caller half of its time to read what it needs.
func (f *Follower) await(ctx context.Context, now int64) {
	f.lock.Lock()
	failed := f.failures > 0
	f.lock.Unlock()
	if failed || f.o.Patience <= 0 {
		f.join(now, func() bool { return f.quiet(now) })
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(f.o.Patience, pause.Left(ctx)/2))
	defer cancel()
	f.Look(ctx, now, f.o.TTL)
}

// Look waits for a look that begins after now - within, unless there was one. If within is not 0, and the last look has
// failed, it makes none until the next one is due. Whatever becomes of the look, the caller may go on. All callers share one
// look at a time.
func (f *Follower) Look(ctx context.Context, now int64, within time.Duration) {
	for !f.off() {
		fl, mine := f.join(now, func() bool {
			return f.old(f.vouched.Load(), now) < within || within > 0 && f.failures > 0 && f.quiet(now)
		})
		if fl == nil {
			return
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			return
		}
		if !fl.outdated.Load() && (mine || now-fl.began < int64(within)) {
			return
		}
	}
}

// Refresh makes all changes visible to this process that were made before it was called: everything is read again. It
// returns what Options.Check says of the namespace.
func (f *Follower) Refresh(ctx context.Context, now int64) error {
	f.Look(ctx, now, 0)
	f.Changed(Change{Kind: Everything}) // the index may lag behind what the caller knows of
	return f.namespace()
}

// Recheck makes the next Follow wait for a look that begins after this call, and drops everything. Call it when this process
// has changed the registration of the namespace.
func (f *Follower) Recheck() {
	f.lock.Lock()
	if f.flight != nil {
		f.flight.outdated.Store(true)
	}
	f.vouched.Store(0)
	f.failures = 0
	f.rest(0, 0)
	f.lock.Unlock()
	f.Changed(Change{Kind: Everything})
}

// namespace is what Options.Check said last.
func (f *Follower) namespace() error {
	if gone := f.gone.Load(); gone != nil {
		return *gone
	}
	return nil
}

// flight is a look under way, which all callers share.
type flight struct {
	began    int64
	done     chan struct{}
	outdated atomic.Bool // by Recheck
}

// join returns the look under way, or starts one, which then is mine; nil if there is enough.
func (f *Follower) join(now int64, enough func() bool) (fl *flight, mine bool) {
	f.lock.Lock()
	if enough() || f.flight != nil {
		defer f.lock.Unlock()
		if enough() {
			return nil, false
		}
		return f.flight, false
	}
	fl = &flight{began: now, done: make(chan struct{})}
	f.flight = fl
	if f.failures > 0 || f.old(f.vouched.Load(), now) < f.o.TTL {
		f.rest(now, f.o.Interval) // nobody else needs to care
	}
	f.lock.Unlock()
	if !f.o.Go(func(ctx context.Context) { f.end(ctx, fl, f.look(ctx, fl.began)) }) {
		f.end(context.Background(), fl, store.ErrClosed)
	}
	return fl, true
}

// end ends a look.
func (f *Follower) end(ctx context.Context, fl *flight, err error) {
	var say bool
	f.lock.Lock()
	f.flight = nil
	switch {
	case fl.outdated.Load():
		f.rest(0, 0)
	case err == nil:
		f.vouched.Store(fl.began)
		f.failures, f.said = 0, false
		f.rest(fl.began, f.o.Interval)
	default:
		f.failures++
		f.seq.Add(1) // so that the ages of records are compared again
		f.rest(fl.began, min(f.o.Interval<<min(f.failures, 10), max(f.o.TTL/5, f.o.Interval)))
		say = !f.said && f.old(f.vouched.Load(), fl.began) >= f.o.TTL && ctx.Err() == nil
		f.said = f.said || say
	}
	f.lock.Unlock()
	close(fl.done)
	if err != nil && f.o.OnFailure != nil {
		f.o.OnFailure(ctx, err)
	}
	if say && f.o.OnUnusable != nil {
		f.o.OnUnusable(ctx, err)
	}
}

// rest makes nothing due for d. While the namespace is gone, everybody asks.
func (f *Follower) rest(now int64, d time.Duration) {
	if f.gone.Load() != nil {
		d = 0
	}
	f.from.Store(now)
	f.until.Store(now + int64(d))
}

// old is how long ago t was. A clock that went back makes nothing younger.
func (f *Follower) old(t, now int64) time.Duration {
	if t == 0 {
		return 1<<63 - 1
	}
	return time.Duration(now - t).Abs()
}
