package limitertest

import (
	"context"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// carriedOut reports whether the request reaches the store before the call returns.
func (r *request) carriedOut() bool { return r.act == Pass || r.act == LoseReply || r.act == HangAfter }

// fault returns the error of a request, nil if it passes. It waits first if the request hangs.
func (r *request) fault(ctx context.Context) error {
	raw := &FaultError{Act: r.act, Call: r.Call}
	writes := r.Op == OpApply || r.Op == OpCommit
	switch r.act {
	case Pass:
		return nil
	case LoseRace:
		if writes {
			return fmt.Errorf("%w: %w", backend.ErrContention, raw)
		}
	case LoseRequest, LoseReply, Late:
		if writes {
			return fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, raw)
		}
	case Hang, HangAfter:
		<-ctx.Done()
		if writes {
			return fmt.Errorf("%w: %w: %w", backend.ErrOutcomeUnknown, ctx.Err(), raw)
		}
		return fmt.Errorf("%w: %w", ctx.Err(), raw)
	case HangDeaf:
		<-r.free
	case Panic:
		panic(raw)
	}
	return fmt.Errorf("%w: %w", backend.ErrUnavailable, raw)
}

// call makes a call of one request.
func (f *Fault) call(ctx context.Context, op Op, keys []backend.Key, carryOut func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &f.begin(op, false, keys...)[0]
	f.hook(ctx, false, *r)
	var err error
	if r.carriedOut() {
		err = carryOut(ctx)
	}
	if r.act == Late && op == OpCommit {
		f.later(carryOut)
	}
	f.hook(ctx, true, *r)
	if fault := r.fault(ctx); fault != nil {
		return fault
	}
	return err
}

func (f *Fault) later(write func(context.Context) error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.late = append(f.late, write)
}

// Read implements [backend.Backend].
func (f *Fault) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	return f.wrapped.Read(ctx, keys, out)
}

// Commit implements [backend.Backend].
func (f *Fault) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	if err := backend.ValidateCommit(writes); err != nil {
		return err
	}
	if f.refuses(writes) {
		return f.inner.Commit(ctx, token, writes)
	}
	own := cloneWrites(writes) // a late commit is carried out when the caller may have changed its slices
	return f.call(ctx, OpCommit, keysIn(writes), func(ctx context.Context) error { return f.inner.Commit(ctx, token, own) })
}

// List implements [backend.Backend].
func (f *Fault) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	return f.wrapped.List(ctx, q)
}

// Capabilities implements [backend.Backend].
func (f *Fault) Capabilities() backend.Capabilities { return f.wrapped.Capabilities() }

// refuses reports whether the wrapped store refuses the whole call, which then does not count as a request.
func (f *Fault) refuses(writes []backend.Write) bool {
	for i := range writes {
		w := &writes[i]
		if w.Validate() != nil || !f.max && slices.ContainsFunc(w.Effects, func(e backend.Effect) bool { return e.Op == backend.AddFrom }) {
			return true
		}
	}
	return false
}

// Close implements [backend.Backend] by closing the wrapped store.
func (f *Fault) Close() error { return f.inner.Close() }

// Apply implements [backend.Backend]. The plan decides for each write. Those that reach the store do so in one call, and then
// Apply waits for those that hang.
func (f *Fault) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	if err := ctx.Err(); err != nil || len(writes) == 0 {
		return f.inner.Apply(ctx, writes, out)
	}
	if f.refuses(writes) {
		return f.inner.Apply(ctx, writes, out)
	}
	requests := f.begin(OpApply, true, keysIn(writes)...)
	f.hook(ctx, false, requests...)
	err := f.applySome(ctx, requests, writes, out)
	f.hook(ctx, true, requests...)
	for i := range requests {
		if fault := requests[i].fault(ctx); fault != nil {
			out[i].Applied, out[i].Err = false, fault
			out[i].Record.Reset(writes[i].Layout)
		}
		if out[i].Err != nil && err == nil {
			err = out[i].Err
		}
	}
	return err
}

// applySome applies the writes that are carried out now, and keeps the late ones. Errors are in out.
func (f *Fault) applySome(ctx context.Context, requests []request, writes []backend.Write, out []backend.Outcome) error {
	if !slices.ContainsFunc(requests, func(r request) bool { return r.act != Pass }) {
		return f.inner.Apply(ctx, writes, out) // nothing is copied if there are no faults
	}
	var some []backend.Write
	var at []int
	for i := range requests {
		if requests[i].act == Late {
			own := cloneWrites(writes[i : i+1])
			f.later(func(ctx context.Context) error {
				return f.inner.Apply(ctx, own, make([]backend.Outcome, 1))
			})
		}
		if requests[i].carriedOut() {
			some, at = append(some, writes[i]), append(at, i)
		}
	}
	if len(some) == 0 {
		return nil
	}
	outcomes := make([]backend.Outcome, len(some))
	_ = f.inner.Apply(ctx, some, outcomes) // the errors are in the outcomes
	for j, i := range at {
		out[i], writes[i].Memo = outcomes[j], some[j].Memo
	}
	return nil
}

func keysIn(writes []backend.Write) []backend.Key {
	keys := make([]backend.Key, len(writes))
	for i := range writes {
		keys[i] = writes[i].Key
	}
	return keys
}

// cloneWrites copies what belongs to the caller.
func cloneWrites(writes []backend.Write) []backend.Write {
	own := slices.Clone(writes)
	for i := range own {
		w := &own[i]
		w.Conds, w.Effects, w.Memo = slices.Clone(w.Conds), slices.Clone(w.Effects), nil
		if w.Index != nil {
			p := *w.Index
			w.Index = &p
		}
	}
	return own
}
