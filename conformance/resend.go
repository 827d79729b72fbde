package conformance

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// resending sends a write again that returned ErrContention, as the limiter does. So a store that loses races now and then,
// as one with serializable transactions does, passes the suite.
type resending struct{ backend.Backend }

// again repeats a call while it returns ErrContention.
func again(ctx context.Context, call func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := call()
	for errors.Is(err, backend.ErrContention) && ctx.Err() == nil {
		runtime.Gosched()
		err = call()
	}
	return err
}

// Apply implements [backend.Backend]. It sends the writes again that lost a race, and only those.
func (r resending) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := r.Backend.Apply(ctx, writes, out)
	lost := func(o backend.Outcome) bool { return errors.Is(o.Err, backend.ErrContention) }
	if err == nil || !slices.ContainsFunc(out, lost) {
		return err
	}
	err = nil
	for i := range out {
		if lost(out[i]) {
			_ = again(ctx, func() error { return r.Backend.Apply(ctx, writes[i:i+1], out[i:i+1]) }) // the error is in the outcome
		}
		if err == nil {
			err = out[i].Err
		}
	}
	return err
}

// Commit implements [backend.Backend].
func (r resending) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	return again(ctx, func() error { return r.Backend.Commit(ctx, token, writes) })
}
