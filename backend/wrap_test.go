package backend_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/backend/num"
)

var errLost = errors.New("lost")

// count is a write that adds one.
func count(sort string) backend.Write {
	return backend.Write{
		Key: backend.Key{Namespace: "ns", Partition: "p", Sort: sort}, Layout: plain,
		Effects: []backend.Effect{{Slot: slots[0], Op: backend.Add, Num: backend.Int(1)}},
	}
}

// callAll makes each call once and returns the error of each.
func callAll(ctx context.Context, s backend.Backend, out []backend.Outcome) map[string]error {
	errs, records, writes := map[string]error{}, make([]backend.Record, 1), []backend.Write{count("a")}
	records[0].Reset(plain)
	caps := s.Capabilities()
	errs["Apply"] = s.Apply(ctx, writes, out)
	errs["Commit"] = s.Commit(ctx, [16]byte{1}, writes)
	errs["Read"] = s.Read(ctx, []backend.Key{writes[0].Key}, records)
	_, errs["List"] = s.List(ctx, backend.Query{Namespace: "ns", Partition: "p", Size: 1})
	_, errs["Feed"] = caps.Feed(ctx, func(backend.Key) *backend.Layout { return plain }, 1, func([]backend.Change) error { return nil })
	_, _, errs["Scan"] = caps.Scan(ctx, "ns", "", 1)
	_, errs["Sweep"] = caps.Sweep(ctx, 1)
	return errs
}

// TestWrapCallsAround wants every call to pass through Around, with what it is about.
func TestWrapCallsAround(t *testing.T) {
	inner := memory.New(&memory.Options{Feed: true})
	var seen []string
	s := backend.Wrap(inner, &backend.WrapOptions{
		Around: func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
			seen = append(seen, fmt.Sprint(c.Method, len(c.Keys), len(c.Writes), c.Query != nil))
			return next(ctx)
		},
	})
	for call, err := range callAll(t.Context(), s, make([]backend.Outcome, 1)) {
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	slices.Sort(seen)
	want := []string{"Apply0 1 false", "Commit0 1 false", "Feed0 0 false", "List0 0 true", "Read1 0 false", "Scan0 0 false", "Sweep0 0 false"}
	if !slices.Equal(seen, want) {
		t.Errorf("Around saw %q, want %q", seen, want)
	}
	if err := s.Close(); err != nil || !errors.Is(inner.Commit(t.Context(), [16]byte{}, nil), backend.ErrClosed) {
		t.Errorf("Close closes the inner store: %v", err)
	}
}

// TestWrapFails wants an error of Around to be that of the whole call, whether the call was made or not.
func TestWrapFails(t *testing.T) {
	for _, made := range []bool{false, true} {
		inner := memory.New(&memory.Options{Feed: true})
		s := backend.Wrap(inner, &backend.WrapOptions{
			Around: func(ctx context.Context, _ backend.Call, next func(context.Context) error) error {
				if made {
					_ = next(ctx)
				}
				return errLost
			},
		})
		out := make([]backend.Outcome, 1)
		for call, err := range callAll(t.Context(), s, out) {
			if !errors.Is(err, errLost) {
				t.Errorf("%s: %v", call, err)
			}
		}
		if out[0].Applied || !errors.Is(out[0].Err, errLost) {
			t.Errorf("the outcome: %+v", out[0])
		}
	}
}

// TestWrapKeepsOutcomes wants the outcomes of the inner store to stand if Around returns an error that wraps its own.
func TestWrapKeepsOutcomes(t *testing.T) {
	s := backend.Wrap(memory.New(nil), &backend.WrapOptions{
		Around: func(ctx context.Context, _ backend.Call, next func(context.Context) error) error {
			if err := next(ctx); err != nil {
				return fmt.Errorf("wrapped: %w", err)
			}
			return nil
		},
	})
	most, more := count("b"), count("b")
	most.Effects[0].Num = number38(t)
	out := make([]backend.Outcome, 2)
	if err := s.Apply(t.Context(), []backend.Write{most}, out[:1]); err != nil {
		t.Fatal(err)
	}
	err := s.Apply(t.Context(), []backend.Write{count("a"), more}, out) // the second sum has 39 digits
	if !errors.Is(err, backend.ErrInvalid) || !out[0].Applied || out[0].Err != nil || !errors.Is(out[1].Err, backend.ErrInvalid) {
		t.Errorf("%v: %+v", err, out)
	}
}

// number38 is the largest number that a record holds.
func number38(t *testing.T) backend.Num {
	t.Helper()
	n, err := num.Parse("99999999999999999999999999999999999999")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestWrapCapabilities wants powers to be passed on, and properties only where the wrapper sets them.
func TestWrapCapabilities(t *testing.T) {
	inner := memory.New(&memory.Options{Feed: true})
	for _, c := range []struct {
		o    *backend.WrapOptions
		want [2]bool
	}{
		{nil, [2]bool{}}, {&backend.WrapOptions{NoIO: true}, [2]bool{true, false}}, {&backend.WrapOptions{HonorsContext: true}, [2]bool{false, true}},
	} {
		caps := backend.Wrap(inner, c.o).Capabilities()
		if caps.NoIO != c.want[0] || caps.HonorsContext != c.want[1] {
			t.Errorf("%+v: %+v", c.o, caps)
		}
		if !caps.Max || caps.Feed == nil || caps.Sweep == nil || caps.Scan == nil || caps.ClockAhead != nil {
			t.Errorf("%+v: the powers are %+v", c.o, caps)
		}
	}
	dated := backend.Wrap(clocked{inner}, nil).Capabilities()
	if dated.ClockAhead == nil || dated.ClockAhead() != time.Second || dated.Feed != nil || dated.Sweep != nil || dated.Scan != nil || dated.Max {
		t.Errorf("the powers are %+v", dated)
	}
}

// clocked is a store that knows the time and nothing else.
type clocked struct{ backend.Backend }

func (clocked) Capabilities() backend.Capabilities {
	return backend.Capabilities{NoIO: true, ClockAhead: func() time.Duration { return time.Second }}
}
