package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// story is what users of the engine can rely on and no store can influence, told over a memory store behind a
// limitertest.Fault, with a clock that stands until it is set. Stories that depend on the store are in package conformance.
type story struct {
	*testing.T
	faults *limitertest.Fault
	store  backend.Backend // faults, perhaps as a store without I/O
	io     bool            // whether it is a store with I/O
	clock  *settable
	events events // of all limiters
	bubble bool   // the story is in virtual time
}

// stories are the subtests of one outcome.
type stories []struct {
	name string
	tell func(*story)
}

// tellEach tells all stories, over a store without I/O unless io is true, which a store that hangs must be.
func tellEach(t *testing.T, all stories, io bool) {
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := newStory(t, memory.New(nil))
			if io {
				r.slow()
			}
			s.tell(r)
		})
	}
}

// tellOnEachKind tells all stories over stores of each kind for which the limiter does different things. Stories that make the
// store fail or hang are told over those with I/O only: io.
func tellOnEachKind(t *testing.T, all stories, io bool) {
	if !io {
		t.Run("NoIO", func(t *testing.T) { tellEach(t, all, false) })
	}
	t.Run("WithIO", func(t *testing.T) { tellEach(t, all, true) })
	t.Run("WithoutMax", func(t *testing.T) {
		for _, s := range all {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				s.tell(newStory(t, withoutMax{memory.New(nil)}).slow())
			})
		}
	})
}

func newStory(t *testing.T, store backend.Backend) *story {
	r := &story{T: t, faults: limitertest.NewFault(store, nil), clock: newClock(0)}
	r.store = backend.Wrap(r.faults, &backend.WrapOptions{NoIO: true})
	return r
}

// withoutMax is a store like DynamoDB, which does not know the effect AddFrom.
type withoutMax struct{ backend.Backend }

// Capabilities implements [backend.Backend].
func (s withoutMax) Capabilities() backend.Capabilities {
	c := s.Backend.Capabilities()
	c.Max = false
	return c
}

// slow makes the engine treat the store as one that may hang.
func (r *story) slow() *story {
	r.store, r.io = r.faults, true
	return r
}

// settable is a clock that stands where it was set.
type settable struct{ ns atomic.Int64 }

func newClock(ahead time.Duration) *settable {
	c := &settable{}
	c.ns.Store(epoch + int64(ahead))
	return c
}

// epoch is where the clocks begin, in nanoseconds since 1970.
const epoch = 2_000_000_000 * int64(time.Second)

// by is an option: the clock of the limiter.
func by(c *settable) func(*engine.Options) { return func(o *engine.Options) { o.Now = c.Now } }

// Now returns the time of the clock.
func (c *settable) Now() time.Time { return time.Unix(0, c.ns.Load()) }

func (c *settable) advance(d time.Duration) { c.ns.Add(int64(d)) }

func (c *settable) set(ns int64) { c.ns.Store(ns) }

// events collects the events of limiters.
type events struct {
	lock sync.Mutex
	all  []engine.Event
}

// Observe implements [engine.Observer].
func (e *events) Observe(event engine.Event) {
	if event.Kind == engine.EventStoreCall || event.Kind == engine.EventDecision {
		return // calls are counted where they are made
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	e.all = append(e.all, event)
}

// of returns the events of one kind.
func (e *events) of(kind engine.EventKind) (found []engine.Event) {
	e.lock.Lock()
	defer e.lock.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			found = append(found, event)
		}
	}
	return found
}

// limiter returns a limiter on the story's store, as another process has one.
func (r *story) limiter(change ...func(*engine.Options)) *engine.Limiter {
	r.Helper()
	l, err := engine.New(r.store, r.options(change...))
	if err != nil {
		r.Fatalf("New: %v", err)
	}
	r.Cleanup(func() { _ = l.Close() })
	return l
}

func (r *story) options(change ...func(*engine.Options)) *engine.Options {
	o := &engine.Options{
		Now: r.clock.Now, Timeout: time.Minute, Observer: &r.events, Logger: slog.New(slog.DiscardHandler),
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for _, f := range change {
		f(o)
	}
	return o
}

// processes returns limiters that know nothing of each other.
func (r *story) processes(n int) []*engine.Limiter {
	all := make([]*engine.Limiter, n)
	for i := range all {
		all[i] = r.limiter()
	}
	return all
}

// The entity and the resource of most stories.
const (
	user = "user-1"
	api  = "gpt-4"
)

// request is one of the user for the api, with limits of its own.
func request(consume engine.Tokens, limits ...engine.Limit) engine.Request {
	return engine.Request{Entity: user, Resource: api, Consume: consume, Limits: limits}
}

func tokens(name string, n int64) engine.Tokens { return engine.Tokens{name: n} }

// stored returns a limit that does not refill while the clock stands.
func stored(name string, n int64) engine.Limit { return engine.PerDay(name, n) }

func (r *story) mustAcquire(l *engine.Limiter, q engine.Request) *engine.Lease {
	r.Helper()
	lease, err := l.Acquire(r.Context(), q)
	if err != nil {
		r.Fatalf("Acquire of %v: %v", q.Consume, err)
	}
	return lease
}

func (r *story) mustDeny(l *engine.Limiter, q engine.Request) *engine.ExceededError {
	r.Helper()
	_, err := l.Acquire(r.Context(), q)
	var exceeded *engine.ExceededError
	if !errors.As(err, &exceeded) {
		r.Fatalf("Acquire of %v should be denied: %v", q.Consume, err)
	}
	return exceeded
}

// take acquires until it is denied, and returns how many requests were admitted.
func (r *story) take(l *engine.Limiter, q engine.Request) (admitted int64) {
	r.Helper()
	for ; ; admitted++ {
		_, err := l.Acquire(r.Context(), q)
		if err == nil {
			continue
		}
		if !errors.As(err, new(*engine.ExceededError)) {
			r.Errorf("Acquire of %v: %v", q.Consume, err)
		}
		return admitted
	}
}

// must ends the story if a step fails.
func (r *story) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%v", err)
	}
}

// wantError compares what a call returned with a sentinel.
func (r *story) wantError(what string, err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Errorf("%s: %v, not %v", what, err, want)
	}
}

// wantInvalid wants a *ValidationError.
func (r *story) wantInvalid(what string, err error) {
	r.Helper()
	var invalid *engine.ValidationError
	if !errors.As(err, &invalid) {
		r.Errorf("%s: %v, no *ValidationError", what, err)
	} else if invalid.Field == "" || invalid.Reason == "" {
		r.Errorf("%s: %#v does not say what is wrong", what, invalid)
	}
}

// left reads what remains of an entity's limits, by name; those of parents as "parent limit".
func (r *story) left(l *engine.Limiter, entity string, limits ...engine.Limit) map[string]int64 {
	r.Helper()
	all, err := l.Available(r.Context(), entity, api, limits...)
	if err != nil {
		r.Fatalf("Available of %s: %v", entity, err)
	}
	left := map[string]int64{}
	for _, s := range all {
		name := s.Limit.Name
		if s.Entity != entity {
			name = s.Entity + " " + name
		}
		left[name] = s.Remaining
	}
	return left
}

// wantLeft compares what remains of the user's limits with "a:1 b:2".
func (r *story) wantLeft(l *engine.Limiter, what, want string, limits ...engine.Limit) {
	r.Helper()
	r.wantLeftOf(l, user, what, want, limits...)
}

func (r *story) wantLeftOf(l *engine.Limiter, entity, what, want string, limits ...engine.Limit) {
	r.Helper()
	if got := amounts(r.left(l, entity, limits...)); got != want {
		r.Errorf("%s: %s remain, not %s", what, got, want)
	}
}

// amounts writes tokens as "a:1 b:2", by name.
func amounts[M ~map[string]int64](m M) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(map[string]int64(m)), "map["), "]")
}

// unborn are options that allow missing parents.
var unborn = &engine.EntityOptions{AllowMissingParent: true}

func (r *story) mustEntity(l *engine.Limiter, e engine.Entity) {
	r.Helper()
	if err := l.CreateEntity(r.Context(), e, unborn); err != nil {
		r.Fatalf("CreateEntity of %s: %v", e.ID, err)
	}
}

// hands is how many goroutines do something together.
const hands = 8

// together starts them all at once, and waits for the last.
func (r *story) together(n int, work func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			work(i)
		})
	}
	close(start)
	all.Wait()
}
