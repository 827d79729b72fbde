package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
)

// closed proves that Close ends all calls, and that a second Close returns nil.
var closed = cases{
	{"Twice", closedTwice},
	{"Calls", closedCalls},
	{"Busy", closedBusy},
}

func (s *storeTest) mustClose() {
	s.Helper()
	if err := s.store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
}

func closedTwice(s *storeTest) {
	s.mustPut(write(keyOf("k"), set(1)))
	s.mustClose()
	s.mustClose()
}

func closedCalls(s *storeTest) {
	w := []backend.Write{write(keyOf("k"), set(1))}
	if err := s.store.Apply(s.Context(), w, make([]backend.Outcome, 1)); err != nil { // leaves a memo
		s.Fatalf("Apply: %v", err)
	}
	s.mustClose()
	for what, err := range s.callAll(s.Context(), w) {
		if !errors.Is(err, backend.ErrClosed) {
			s.Errorf("%s on a closed store: %v", what, err)
		}
	}
}

// callAll makes every call of the store once, and returns their errors.
func (s *storeTest) callAll(ctx context.Context, writes []backend.Write) map[string]error {
	out, r := make([]backend.Outcome, len(writes)), make([]backend.Record, 1)
	r[0].Reset(layout)
	_, listing := s.store.List(ctx, backend.Query{Namespace: space, Partition: part, Size: 1})
	_, index := s.store.List(ctx, backend.Query{Namespace: space, Partition: part, Size: 1, Index: true})
	errs := map[string]error{
		"Read": s.store.Read(ctx, keysOf("k"), r), "Apply": s.store.Apply(ctx, writes, out), "List": listing,
		"List of the index": index, "Commit": s.store.Commit(ctx, token(), writes), "the outcome": out[0].Err,
	}
	if feed := s.store.Capabilities().Feed; feed != nil {
		_, errs["Feed"] = feed(ctx, func(backend.Key) *backend.Layout { return layout }, 1, func([]backend.Change) error { return nil })
	}
	if sweep := s.store.Capabilities().Sweep; sweep != nil {
		_, errs["Sweep"] = sweep(ctx, 1)
	}
	if scan := s.store.Capabilities().Scan; scan != nil {
		_, _, errs["Scan"] = scan(ctx, space, "", 1)
	}
	return errs
}

// closedBusy closes a store during calls: every call returns, with a result or with an error that tells what became of it.
func closedBusy(s *storeTest) {
	var done atomic.Bool
	together(5, func(worker int) {
		if worker == 0 {
			for i := range 20 {
				if _, err := s.one(write(keyOf("own"), set(i))); err != nil {
					s.Errorf("Apply before Close: %v", err)
				}
			}
			if err := s.store.Close(); err != nil {
				s.Errorf("Close of a busy store: %v", err)
			}
			done.Store(true)
			return
		}
		for i := range 100_000 {
			over := done.Load()
			for what, err := range s.callAll(s.Context(), []backend.Write{write(keyOf(fmt.Sprint(worker, i%3)), set(i))}) {
				if over && !errors.Is(err, backend.ErrClosed) {
					s.Errorf("%s after Close: %v", what, err)
				}
				if !atClose(err) && what != "Feed" {
					s.Errorf("%s beside Close: %v", what, err)
				}
			}
			if over {
				return
			}
		}
	})
}

// atClose reports whether a call that was under way when the store was closed may return err.
func atClose(err error) bool {
	return err == nil || errors.Is(err, backend.ErrClosed) || errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrOutcomeUnknown)
}
