package conformance

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
)

// cancelled proves that a call whose context is done stops, and that other calls do not.
var cancelled = cases{
	{"Before", cancelledBefore},
	{"InFlight", cancelledInFlight},
}

// doneContexts returns contexts that are done, each for another reason.
func doneContexts(ctx context.Context) map[string]context.Context {
	stopped, stop := context.WithCancel(ctx)
	stop()
	late, over := context.WithTimeout(ctx, -1)
	over()
	return map[string]context.Context{"cancelled": stopped, "past its deadline": late}
}

func cancelledBefore(s *storeTest) {
	keys := keysOf("a", "new")
	s.mustPut(write(keys[0], set(1), place("a")))
	for what, ctx := range doneContexts(s.Context()) {
		out := make([]backend.Outcome, 2)
		records := make([]backend.Record, 2)
		records[0].Reset(layout)
		records[1].Reset(layout)
		writes := []backend.Write{write(keys[0], add(1)), write(keys[1], set(1))}
		s.unchanged(what, keys, func() {
			_, listing := s.store.List(ctx, backend.Query{Namespace: space, Partition: part, Size: 1})
			errs := map[string]error{
				"Read": s.store.Read(ctx, keys, records), "Apply": s.store.Apply(ctx, writes, out), "List": listing,
				"Commit": s.store.Commit(ctx, token(), writes),
			}
			errs["the first outcome"], errs["the second outcome"] = out[0].Err, out[1].Err
			for call, err := range errs {
				if !errors.Is(err, ctx.Err()) || errors.Is(err, backend.ErrOutcomeUnknown) {
					s.Errorf("%s with a context %s: %v", call, what, err)
				}
			}
		})
	}
}

// cancelledInFlight cancels the contexts of some callers repeatedly, while others continue. Every addition that was
// acknowledged is there, and none that was certainly not applied.
func cancelledInFlight(s *storeTest) {
	k := keyOf("k")
	var sure, perhaps atomic.Int64
	note := func(ctx context.Context, err error) {
		switch {
		case err == nil:
			sure.Add(1)
		case ctx.Err() == nil && !errors.Is(err, backend.ErrContention):
			s.Errorf("a call whose context is not done: %v", err)
		case errors.Is(err, backend.ErrOutcomeUnknown) && errors.Is(err, ctx.Err()):
			perhaps.Add(1)
		case !errors.Is(err, ctx.Err()) && !errors.Is(err, backend.ErrContention):
			s.Errorf("a call whose context is done: %v", err)
		}
	}
	for round := range 20 {
		s.untilCancelled(k, 3*round, note)
	}
	r := s.mustRead(k)
	if n := r[0].Int64(slotN); n < sure.Load() || n > sure.Load()+perhaps.Load() {
		s.Errorf("%d additions are there, %d were acknowledged, %d are unknown", n, sure.Load(), perhaps.Load())
	}
}

// untilCancelled has four callers add until a context is cancelled after so many calls. The first caller has another context.
func (s *storeTest) untilCancelled(k backend.Key, after int, note func(context.Context, error)) {
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	var calls atomic.Int64
	together(4, func(worker int) {
		mine := ctx
		if worker == 0 {
			mine = s.Context()
		}
		for i := 0; ctx.Err() == nil && i < 100; i++ {
			writes := []backend.Write{write(k, add(1))}
			if i%4 == 3 {
				note(mine, s.store.Commit(mine, token(), writes))
			} else {
				note(mine, s.store.Apply(mine, writes, make([]backend.Outcome, 1)))
			}
			if calls.Add(1) > int64(after) {
				cancel()
			}
		}
	})
}
