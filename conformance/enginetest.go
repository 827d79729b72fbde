package conformance

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
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// engineTest is one story of the engine: a new store behind a [Fault] that lets all requests pass until the story changes that,
// and a clock that stands until it is set.
type engineTest struct {
	*testing.T
	faults *limitertest.Fault
	store  backend.Backend // faults, with the powers of the store beneath
	noIO   bool            // whether that is one without I/O
	brief  bool            // a call takes long: less of the same will do
	clock  *settable
	events events // of all limiters
}

// settable is a clock that stands until it is set. It is in the future, so that a store that knows the time drops nothing.
type settable struct{ ns atomic.Int64 }

const epoch = int64(2_000_000_000) * int64(time.Second) // in ns since 1970

func newClock(ahead time.Duration) *settable {
	c := &settable{}
	c.ns.Store(epoch + int64(ahead))
	return c
}

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
		return // the test counts calls where they are made
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

// of returns n, or few if the test is brief.
func (r *engineTest) of(n, few int) int {
	if r.brief {
		return few
	}
	return n
}

func newEngineTest(t *testing.T, open Open) *engineTest {
	t.Helper()
	store := open(t)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close after the story: %v", err)
		}
	})
	r := &engineTest{T: t, faults: limitertest.NewFault(store, nil), clock: newClock(0)}
	r.noIO = store.Capabilities().NoIO
	r.store = backend.Wrap(r.faults, &backend.WrapOptions{NoIO: r.noIO})
	return r
}

// slow makes the engine treat the store as one with I/O.
func (r *engineTest) slow() *engineTest {
	r.noIO = false
	r.store = r.faults
	return r
}

func (r *engineTest) canScan() bool { return r.store.Capabilities().Scan != nil }

// scanning is for stories that need Scan. A store without it has nothing to prove: the limiter's calls that need it return a
// *ValidationError, which tests of the engine prove.
func scanning(tell func(*engineTest)) func(*engineTest) {
	return func(r *engineTest) {
		if !r.canScan() {
			r.Log("nothing to prove: the store's Capabilities have no Scan")
			return
		}
		tell(r)
	}
}

// orCannotScan returns nil for the *ValidationError of a store that cannot be scanned.
func (r *engineTest) orCannotScan(err error) error {
	var invalid *engine.ValidationError
	if !r.canScan() && errors.As(err, &invalid) && invalid.Field == "store" {
		return nil
	}
	return err
}

const aDay = 24 * time.Hour

// patient is the budget of limiters whose story is not about time.
const patient = time.Minute

// options returns the options that the limiters of a story have in common, with changes.
func (r *engineTest) options(change ...func(*engine.Options)) *engine.Options {
	o := &engine.Options{
		Now: r.clock.Now, Timeout: patient, Observer: &r.events, Logger: slog.New(slog.DiscardHandler),
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for _, f := range change {
		f(o)
	}
	return o
}

// limiter returns a limiter on the story's store, as another process has one.
func (r *engineTest) limiter(change ...func(*engine.Options)) *engine.Limiter {
	r.Helper()
	l, err := engine.New(r.store, r.options(change...))
	if err != nil {
		r.Fatalf("New: %v", err)
	}
	r.Cleanup(func() { _ = l.Close() })
	return l
}

// by is an option: the clock of the limiter.
func by(c *settable) func(*engine.Options) { return func(o *engine.Options) { o.Now = c.Now } }

// The entity and the resource of most stories.
const (
	user = "user-1"
	api  = "gpt-4"
)

// ask returns a request of the user for the api, with limits of its own.
func ask(consume engine.Tokens, limits ...engine.Limit) engine.Request {
	return engine.Request{Entity: user, Resource: api, Consume: consume, Limits: limits}
}

// stored returns a limit that does not refill while the clock stands.
func stored(name string, n int64) engine.Limit { return engine.PerDay(name, n) }

// tokens returns an amount of one limit.
func tokens(name string, n int64) engine.Tokens { return engine.Tokens{name: n} }

func (r *engineTest) mustAcquire(l *engine.Limiter, q engine.Request) *engine.Lease {
	r.Helper()
	lease, err := l.Acquire(r.Context(), q)
	if err != nil {
		r.Fatalf("Acquire of %v: %v", q.Consume, err)
	}
	return lease
}

func (r *engineTest) mustDeny(l *engine.Limiter, q engine.Request) *engine.ExceededError {
	r.Helper()
	_, err := l.Acquire(r.Context(), q)
	var exceeded *engine.ExceededError
	if !errors.As(err, &exceeded) {
		r.Fatalf("Acquire of %v should be denied: %v", q.Consume, err)
	}
	return exceeded
}

// must ends the story if a step fails.
func (r *engineTest) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%v", err)
	}
}

// wantError compares an error with a sentinel.
func (r *engineTest) wantError(what string, err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Errorf("%s: %v, not %v", what, err, want)
	}
}

// until waits until done returns true, because a store may lag.
func (r *engineTest) until(what string, done func() bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	for !done() {
		if ctx.Err() != nil {
			r.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// wantInvalid wants a *ValidationError.
func (r *engineTest) wantInvalid(what string, err error) {
	r.Helper()
	var invalid *engine.ValidationError
	if !errors.As(err, &invalid) {
		r.Errorf("%s: %v, no *ValidationError", what, err)
	} else if invalid.Field == "" || invalid.Reason == "" {
		r.Errorf("%s: %#v does not say what is wrong", what, invalid)
	}
}

// left returns what remains of an entity's limits, by name; those of parents as "parent limit".
func (r *engineTest) left(l *engine.Limiter, entity string, limits ...engine.Limit) map[string]int64 {
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
func (r *engineTest) wantLeft(l *engine.Limiter, what, want string, limits ...engine.Limit) {
	r.Helper()
	r.wantLeftOf(l, user, what, want, limits...)
}

func (r *engineTest) wantLeftOf(l *engine.Limiter, entity, what, want string, limits ...engine.Limit) {
	r.Helper()
	if got := amounts(r.left(l, entity, limits...)); got != want {
		r.Errorf("%s: available is %s, not %s", what, got, want)
	}
}

// amounts writes tokens as "a:1 b:2", by name.
func amounts[M ~map[string]int64](m M) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(map[string]int64(m)), "map["), "]")
}
