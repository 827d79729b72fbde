package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// world is a memory store, a settable clock, and limiters over them; trouble stands between, and is off.
type world struct {
	*engine.Limiter
	t       *testing.T
	store   *memory.Store
	trouble *trouble

	lock sync.Mutex
	at   time.Time
}

// anyParent are options with which parents need not exist.
var anyParent = &engine.EntityOptions{AllowMissingParent: true}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(nil), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.trouble = &trouble{Store: w.store}
	w.Limiter = w.limiter(w.store, nil)
	return w
}

// limiter makes one over a store with the world's clock.
func (w *world) limiter(store backend.Backend, o *engine.Options) *engine.Limiter {
	w.t.Helper()
	if o == nil {
		o = &engine.Options{}
	}
	o.Now, o.Sleep = w.now, func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	o.Logger = slog.New(slog.DiscardHandler)
	o.CacheSize = 1000
	if o.Principal == "" {
		o.Principal = "tester"
	}
	l, err := engine.New(store, o)
	must(w.t, err)
	w.t.Cleanup(func() { l.Close() })
	return l
}

// troubled is a limiter whose store fails as trouble says.
func (w *world) troubled() *engine.Limiter { return w.limiter(w.trouble, nil) }

func (w *world) now() time.Time {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.at = w.at.Add(d)
}

// dump is everything in the store, by key, as text; audit events only where they are asked for. The marks of resources with
// limits of entities are left out: it wants one for each of these limits, and no other.
func (w *world) dump(audit bool, namespaces ...string) map[string]string {
	w.t.Helper()
	all, marks := map[string]string{}, map[backend.Key]int{}
	for _, ns := range append(namespaces, "default", "_") {
		for position := ""; ; {
			keys, next, err := w.store.Scan(w.t.Context(), ns, position, 100)
			must(w.t, err)
			for _, k := range keys {
				layout := schema.LayoutOf(k)
				if layout == nil {
					w.t.Fatalf("%v is of an unknown kind", k)
				}
				switch entity, resource := schema.ConfiguredBy(k); {
				case layout == schema.AuditLayout && !audit:
					continue
				case k.Partition == schema.LimitedPartition:
					marks[k]--
					continue
				case layout == schema.ConfigLayout && entity != "" && resource != "":
					marks[schema.Limited(ns, entity, resource)]++
				}
				out := make([]backend.Record, 1)
				out[0].Reset(layout)
				must(w.t, w.store.Read(w.t.Context(), []backend.Key{k}, out))
				all[fmt.Sprint(k)] = text(&out[0])
			}
			if position = next; next == "" {
				break
			}
		}
	}
	for k, n := range marks {
		if n != 0 {
			w.t.Errorf("%v: %d lists of limits without a mark (-1: a mark without limits)", k, n)
		}
	}
	return all
}

func text(r *backend.Record) string {
	s := fmt.Sprint("expires ", r.Expiry())
	for _, slot := range r.Layout().Slots() {
		if v, ok := r.Text(slot); ok && !slot.IsNumber() {
			s += fmt.Sprintf(" %s=%q", r.Layout().Field(slot).Name, v)
		} else if n, ok := r.Num(slot); ok && slot.IsNumber() {
			s += fmt.Sprintf(" %s=%v", r.Layout().Field(slot).Name, n)
		}
	}
	return s
}

// told lists the newest events as "action entity resource before after".
func (w *world) told(most int) []string {
	w.t.Helper()
	page, err := w.AuditEvents(w.t.Context(), engine.AuditQuery{Page: engine.Page{Size: most}})
	must(w.t, err)
	var lines []string
	for _, e := range page.Items {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", e.Action, e.Entity, e.Resource, orNothing(e.Before), orNothing(e.After)))
	}
	return lines
}

func orNothing(m json.RawMessage) string {
	if m == nil {
		return "-"
	}
	return string(m)
}

// bare is a store without any capabilities, such as a remote one that can do nothing else.
type bare struct{ backend.Backend }

func (bare) Capabilities() backend.Capabilities { return backend.Capabilities{} }

// trouble makes calls on a store fail by script. It is not NoIO, so that the engine treats it as a remote store.
type trouble struct {
	*memory.Store

	lock   sync.Mutex
	script []fault // of the calls to come, the first first; after it all goes well
	calls  []string
	hook   func(call string) // runs before each call
	ghosts []backend.Item    // that index listings show too
}

type fault uint8

const (
	fine    fault = iota
	refused       // not applied, ErrUnavailable
	raced         // not applied, ErrContention
	mute          // applied, the reply is lost
	gone          // not applied, nobody knows
	broken        // not applied, another error
)

var errBroken = errors.New("broken")

func (s *trouble) will(script ...fault) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.script, s.calls = script, nil
}

// once runs f before the n-th call of a name from now on, the first being 0.
func (s *trouble) once(call string, n int, f func()) {
	var before atomic.Int64
	s.hook = func(name string) {
		if name == call && before.Add(1) == int64(n)+1 {
			f()
		}
	}
}

// do makes a call as the script says.
func (s *trouble) do(name string, f func() error) error {
	s.lock.Lock()
	s.calls = append(s.calls, name)
	next := fine
	if len(s.script) > 0 {
		next, s.script = s.script[0], s.script[1:]
	}
	hook := s.hook
	s.lock.Unlock()
	if hook != nil {
		hook(name)
	}
	switch next {
	case refused:
		return fmt.Errorf("%w: refused", backend.ErrUnavailable)
	case raced:
		return fmt.Errorf("%w: raced", backend.ErrContention)
	case gone:
		return fmt.Errorf("%w: gone", backend.ErrOutcomeUnknown)
	case broken:
		return errBroken
	case mute:
		if err := f(); err != nil {
			return err
		}
		return fmt.Errorf("%w: mute", backend.ErrOutcomeUnknown)
	}
	return f()
}

func (s *trouble) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	return s.do("read", func() error { return s.Store.Read(ctx, keys, out) })
}

func (s *trouble) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	return s.do("apply", func() error { return s.Store.Apply(ctx, writes, out) })
}

func (s *trouble) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	return s.do("commit", func() error { return s.Store.Commit(ctx, token, writes) })
}

func (s *trouble) List(ctx context.Context, q backend.Query) (keys backend.Keys, err error) {
	err = s.do("list", func() (err error) {
		keys, err = s.Store.List(ctx, q)
		return err
	})
	if q.Index && q.After == nil {
		keys.Items = append(slices.Clone(s.ghosts), keys.Items...)
	}
	return keys, err
}

func (s *trouble) Scan(ctx context.Context, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	err = s.do("scan", func() (err error) {
		keys, next, err = s.Store.Scan(ctx, namespace, after, size)
		return err
	})
	return keys, next, err
}

func (s *trouble) Capabilities() backend.Capabilities {
	return backend.Capabilities{Max: true, Sweep: s.Sweep, Scan: s.Scan}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants compares errors by errors.Is, *ValidationError by its field.
func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	var bad, wanted *engine.ValidationError
	if errors.As(want, &wanted) {
		if !errors.As(err, &bad) || bad.Field != wanted.Field {
			t.Errorf("%s: %v, wanted a ValidationError of %s", what, err, wanted.Field)
		}
	} else if !errors.Is(err, want) {
		t.Errorf("%s: %v, wanted %v", what, err, want)
	}
}

func invalid(field string) error { return &engine.ValidationError{Field: field} }

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s\n got %s\nwant %s", what, g, w)
	}
}

// pages walks through a list and checks that no page is empty and none but the last has room.
func pages[T any](t *testing.T, size int, get func(engine.Page) (engine.List[T], error)) (all []T) {
	t.Helper()
	for after := ""; ; {
		page, err := get(engine.Page{Size: size, After: after})
		must(t, err)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		if len(page.Items) != size {
			t.Fatalf("a page of %d, of %d, before the end", len(page.Items), size)
		}
		after = page.Next
	}
}

func asValidation(err error, to **engine.ValidationError) bool { return errors.As(err, to) }
