package conformance_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

func addsFrom(e backend.Effect) bool { return e.Op == backend.AddFrom }

// plain is a store without further powers: it refuses AddFrom.
type plain struct{ backend.Backend }

func (plain) Capabilities() backend.Capabilities { return backend.Capabilities{} }

func (s plain) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	if err := refuse(writes); err != nil {
		for i := range out {
			out[i].Applied, out[i].Err = false, err
		}
		return err
	}
	return s.Backend.Apply(ctx, writes, out)
}

func (s plain) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	if err := refuse(writes); err != nil {
		return err
	}
	return s.Backend.Commit(ctx, token, writes)
}

func refuse(writes []backend.Write) error {
	for i := range writes {
		if slices.ContainsFunc(writes[i].Effects, addsFrom) {
			return fmt.Errorf("%w: the greater of two", backend.ErrInvalid)
		}
	}
	return nil
}

func addsUnsaid(inner backend.Backend) broken {
	all := inner.(plain).Backend
	return broken{apply: all.Apply, commit: all.Commit}
}

// addsElsewhere changes the effect AddFrom, given what the field is.
type addsElsewhere struct {
	backend.Backend
	change func(e *backend.Effect, field backend.Num, there bool)
}

func toLesser(e *backend.Effect, field backend.Num, there bool) {
	if there && field.Less(e.Base) {
		e.Op = backend.Add
	} else if there {
		e.Op, e.Num = backend.Set, e.Base.Add(e.Num)
	}
}

func missingIsZero(e *backend.Effect, _ backend.Num, there bool) {
	if !there && e.Base.Sign() < 0 {
		e.Base = backend.Num{}
	}
}

func (s addsElsewhere) changed(ctx context.Context, writes []backend.Write) []backend.Write {
	writes = slices.Clone(writes)
	for i := range writes {
		w := &writes[i]
		if w.Validate() != nil || !slices.ContainsFunc(w.Effects, addsFrom) {
			continue
		}
		r := make([]backend.Record, 1)
		r[0].Reset(w.Layout)
		_ = s.Backend.Read(ctx, []backend.Key{w.Key}, r)
		w.Effects = slices.Clone(w.Effects)
		for j := range w.Effects {
			if e := &w.Effects[j]; e.Op == backend.AddFrom {
				field, there := r[0].Num(e.Slot)
				s.change(e, field, there)
			}
		}
	}
	return writes
}

func (s addsElsewhere) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	return s.Backend.Apply(ctx, s.changed(ctx, writes), out)
}

func (s addsElsewhere) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	return s.Backend.Commit(ctx, token, s.changed(ctx, writes))
}
