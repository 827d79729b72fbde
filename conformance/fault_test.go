package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

var (
	small = backend.NewLayout("small", backend.Field{Name: "n", Kind: backend.Number})
	slot  = small.MustSlot("n")
)

func one() (n backend.Num) {
	if err := n.UnmarshalText([]byte("1")); err != nil {
		panic(err)
	}
	return n
}

// count is a write that adds one.
func count(sort string) backend.Write {
	return backend.Write{
		Key: backend.Key{Namespace: "ns", Partition: "p", Sort: sort}, Layout: small,
		Effects: []backend.Effect{{Slot: slot, Op: backend.Add, Num: one()}},
	}
}

// counted reads how often count was carried out.
func counted(t *testing.T, s backend.Backend, sort string) int64 {
	t.Helper()
	r := make([]backend.Record, 1)
	r[0].Reset(small)
	if err := s.Read(t.Context(), []backend.Key{count(sort).Key}, r); err != nil {
		t.Fatal(err)
	}
	return r[0].Int64(slot)
}

// TestFaultless wants a wrapper without a plan to be as good as what it wraps.
func TestFaultless(t *testing.T) {
	faultless := func(t testing.TB) backend.Backend { return limitertest.NewFault(open(t), nil) }
	conformance.Run(t, faultless)
	conformance.RunFeed(t, faultless)
	conformance.RunSweep(t, faultless)
	conformance.RunScan(t, faultless)
	conformance.RunMax(t, faultless)
	conformance.RunModel(t, faultless)
}

// TestFaultActs looks at every act: what comes back, and whether the write was carried out.
func TestFaultActs(t *testing.T) {
	for _, c := range []struct {
		act     limitertest.Act
		want    error
		applied int64
		later   int64 // after Release
		read    error
	}{
		{limitertest.Pass, nil, 1, 1, nil},
		{limitertest.Fail, backend.ErrUnavailable, 0, 0, backend.ErrUnavailable},
		{limitertest.Throttle, backend.ErrUnavailable, 0, 0, backend.ErrUnavailable},
		{limitertest.LoseRace, backend.ErrContention, 0, 0, backend.ErrUnavailable},
		{limitertest.LoseRequest, backend.ErrOutcomeUnknown, 0, 0, backend.ErrUnavailable},
		{limitertest.LoseReply, backend.ErrOutcomeUnknown, 1, 1, backend.ErrUnavailable},
		{limitertest.Late, backend.ErrOutcomeUnknown, 0, 1, backend.ErrUnavailable},
	} {
		t.Run(c.act.String(), func(t *testing.T) {
			t.Parallel()
			inner := open(t)
			f := limitertest.NewFault(inner, limitertest.Always(c.act, limitertest.OpApply, limitertest.OpCommit))
			out := make([]backend.Outcome, 1)
			err := f.Apply(t.Context(), []backend.Write{count("a")}, out)
			commit := f.Commit(t.Context(), [16]byte{1}, []backend.Write{count("b")})
			var fault *limitertest.FaultError
			for _, err := range []error{err, out[0].Err, commit} {
				if !errors.Is(err, c.want) || c.want != nil && (!errors.As(err, &fault) || fault.Act != c.act) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			}
			if a, b := counted(t, inner, "a"), counted(t, inner, "b"); a != c.applied || b != c.applied {
				t.Errorf("carried out %d and %d times, want %d", a, b, c.applied)
			}
			for _, err := range f.Release(t.Context()) {
				if err != nil {
					t.Errorf("a late write: %v", err)
				}
			}
			if a, b := counted(t, inner, "a"), counted(t, inner, "b"); a != c.later || b != c.later || f.Waiting() != 0 {
				t.Errorf("carried out %d and %d times in the end, want %d", a, b, c.later)
			}
			f.SetPlan(limitertest.Always(c.act))
			r := make([]backend.Record, 1)
			r[0].Reset(small)
			if err := f.Read(t.Context(), []backend.Key{count("a").Key}, r); !errors.Is(err, c.read) {
				t.Errorf("Read: %v, want %v", err, c.read)
			}
			if _, err := f.List(t.Context(), backend.Query{Namespace: "ns", Partition: "p", Size: 1}); !errors.Is(err, c.read) {
				t.Errorf("List: %v, want %v", err, c.read)
			}
			if n := f.Count(limitertest.OpApply, c.act); n != 1 || f.Calls(limitertest.OpCommit) != 1 || f.Writes() != 2 {
				t.Errorf("counted %d of one, %d calls of one, %d writes of two", n, f.Calls(limitertest.OpCommit), f.Writes())
			}
		})
	}
}

// TestFaultHangs looks at the acts that wait: for the context, or for Release alone.
func TestFaultHangs(t *testing.T) {
	for act, applied := range map[limitertest.Act]int64{limitertest.Hang: 0, limitertest.HangAfter: 1} {
		inner := open(t)
		reached := make(chan struct{})
		f := limitertest.NewFault(inner, limitertest.On(limitertest.OpApply, 0, act))
		f.SetHooks(nil, func(context.Context, limitertest.Call) { close(reached) })
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-reached
			cancel()
		}()
		err := f.Apply(ctx, []backend.Write{count("a")}, make([]backend.Outcome, 1))
		if !errors.Is(err, context.Canceled) || !errors.Is(err, backend.ErrOutcomeUnknown) || counted(t, inner, "a") != applied {
			t.Errorf("%v: %v, carried out %d times", act, err, counted(t, inner, "a"))
		}
	}
	f := limitertest.NewFault(open(t), limitertest.Always(limitertest.HangDeaf))
	ctx, cancel := context.WithCancel(t.Context())
	reached, done := make(chan struct{}), make(chan error)
	f.SetHooks(nil, func(context.Context, limitertest.Call) { close(reached) })
	go func() { done <- f.Apply(ctx, []backend.Write{count("a")}, make([]backend.Outcome, 1)) }()
	<-reached
	cancel()
	select {
	case err := <-done:
		t.Fatalf("deaf as it is it came back with %v", err)
	default:
	}
	f.Release(t.Context())
	if err := <-done; !errors.Is(err, backend.ErrUnavailable) {
		t.Errorf("released: %v", err)
	}
}

// TestFaultPanics wants the act to panic in every call, and nothing to be carried out.
func TestFaultPanics(t *testing.T) {
	inner := open(t)
	f := limitertest.NewFault(inner, limitertest.Always(limitertest.Panic))
	for op, call := range map[limitertest.Op]func() error{
		limitertest.OpRead:   func() error { return f.Read(t.Context(), nil, nil) },
		limitertest.OpApply:  func() error { return f.Apply(t.Context(), []backend.Write{count("a")}, make([]backend.Outcome, 1)) },
		limitertest.OpCommit: func() error { return f.Commit(t.Context(), [16]byte{1}, []backend.Write{count("a")}) },
	} {
		func() {
			defer func() {
				if raw, ok := recover().(*limitertest.FaultError); !ok || raw.Call.Op != op {
					t.Errorf("%s: panicked with %v", op, raw)
				}
			}()
			t.Errorf("%s returned: %v", op, call())
		}()
	}
	if n := counted(t, inner, "a"); n != 0 {
		t.Errorf("carried out %d times", n)
	}
}

// TestFaultOneOfSeveral lets one write of a call go wrong.
func TestFaultOneOfSeveral(t *testing.T) {
	inner := open(t)
	f := limitertest.NewFault(inner, limitertest.Where(func(k backend.Key) bool { return k.Sort == "b" }, limitertest.Always(limitertest.LoseReply)))
	out := make([]backend.Outcome, 3)
	err := f.Apply(t.Context(), []backend.Write{count("a"), count("b"), count("c")}, out)
	if !errors.Is(err, backend.ErrOutcomeUnknown) || !out[0].Applied || !out[2].Applied || out[0].Err != nil || out[2].Err != nil ||
		out[1].Applied || !errors.Is(out[1].Err, backend.ErrOutcomeUnknown) || out[1].Record.Present() {
		t.Errorf("%v: %+v", err, out)
	}
	for _, sort := range []string{"a", "b", "c"} {
		if n := counted(t, inner, sort); n != 1 {
			t.Errorf("%s was carried out %d times", sort, n)
		}
	}
	if n := f.Count(limitertest.OpApply, limitertest.Pass); n != 2 {
		t.Errorf("%d writes passed, of two", n)
	}
}

// TestFaultSeed wants the same seed to do the same, and shares to be about as large as they are said to be.
func TestFaultSeed(t *testing.T) {
	befallen := func(seed uint64) (acts string, lost int) {
		f := limitertest.NewFault(open(t), limitertest.Random(seed, map[limitertest.Act]float64{limitertest.LoseReply: 0.3, limitertest.Fail: 0.2}))
		for range 1000 {
			err := f.Apply(t.Context(), []backend.Write{count("a")}, make([]backend.Outcome, 1))
			acts += fmt.Sprint(err) + "\n"
		}
		return acts, f.Count(limitertest.OpApply, limitertest.LoseReply)
	}
	first, lost := befallen(1)
	again, _ := befallen(1)
	other, _ := befallen(2)
	if first != again || first == other || lost < 200 || lost > 400 {
		t.Errorf("the same seed does the same: %v; another: %v; %d of about 300 replies were lost", first == again, first == other, lost)
	}
}

// bare has the methods of the contract and no capabilities.
type bare struct{ backend.Backend }

func (bare) Capabilities() backend.Capabilities { return backend.Capabilities{} }

// TestFaultPowers wants a wrapper to have the powers of the wrapped store, and none of its properties.
func TestFaultPowers(t *testing.T) {
	for name, inner := range map[string]backend.Backend{
		"all": open(t), "none": bare{open(t)},
		"scan": with(func(c *backend.Capabilities) { c.Feed, c.Sweep, c.Max = nil, nil, false })(open(t)),
	} {
		got, want := limitertest.NewFault(inner, nil).Capabilities(), inner.Capabilities()
		if (got.Feed != nil) != (want.Feed != nil) || (got.Sweep != nil) != (want.Sweep != nil) ||
			(got.Scan != nil) != (want.Scan != nil) || got.Max != want.Max || got.NoIO || got.HonorsContext {
			t.Errorf("%s: %+v, not %+v", name, got, want)
		}
	}
}

// TestFaultRefused wants what the wrapped store refuses to be no request, AddFrom too where that store does not know it.
func TestFaultRefused(t *testing.T) {
	w := count("a")
	w.Effects[0].Op = backend.AddFrom
	for inner, requests := range map[backend.Backend]int{open(t): 2, plain{open(t)}: 0} {
		f := limitertest.NewFault(inner, nil)
		out := make([]backend.Outcome, 1)
		for _, err := range []error{f.Apply(t.Context(), []backend.Write{w}, out), f.Commit(t.Context(), [16]byte{1}, []backend.Write{w}), out[0].Err} {
			if errors.Is(err, backend.ErrInvalid) != (requests == 0) {
				t.Errorf("%T: %v", inner, err)
			}
		}
		if n := counted(t, inner, "a"); n != int64(requests) || f.Writes() != requests || f.Calls(limitertest.OpApply)+f.Calls(limitertest.OpCommit) != requests {
			t.Errorf("%T: %d of %d writes were carried out, %d counted", inner, n, requests, f.Writes())
		}
	}
}
