package bolt

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Apply implements [backend.Backend].
func (s *Store) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := s.begin(ctx)
	if err == nil && len(writes) != len(out) {
		err = errLengths(len(writes), len(out))
	}
	for i := 0; err == nil && i < len(writes); i++ {
		err = writes[i].Validate()
	}
	if err == nil && len(writes) > 0 {
		job := &applying{writes: own(ctx, writes), out: make([]backend.Outcome, len(writes))}
		if err = s.queue.do(ctx, &request{run: job.run, size: len(writes)}); err == nil {
			return job.report(out)
		}
	}
	for i := range out {
		out[i].Applied, out[i].Err = false, err
	}
	return err
}

// own copies writes if the caller may return before a leader has read them.
func own(ctx context.Context, writes []backend.Write) []backend.Write {
	if ctx.Done() == nil {
		return writes
	}
	writes = slices.Clone(writes)
	for i := range writes {
		w := &writes[i]
		w.Conds, w.Effects = slices.Clone(w.Conds), slices.Clone(w.Effects)
		if w.Index != nil {
			place := *w.Index
			w.Index = &place
		}
	}
	return writes
}

// applying is a call of Apply in a batch. It has outcomes of its own, because the caller may return before they are set.
type applying struct {
	writes []backend.Write
	out    []backend.Outcome
}

func (a *applying) run(b *batch) {
	for i := range a.writes {
		o := &a.out[i]
		o.Applied, o.Err = b.apply(&a.writes[i], &o.Record)
	}
}

// report copies the outcomes to the caller's, and returns the first error.
func (a *applying) report(out []backend.Outcome) (err error) {
	for i := range out {
		from := &a.out[i]
		out[i].Applied, out[i].Err = from.Applied, from.Err
		out[i].Record.CopyFrom(&from.Record)
		if err == nil {
			err = from.Err
		}
	}
	return err
}

// apply checks and applies one write, and sets record to the outcome.
func (b *batch) apply(w *backend.Write, record *backend.Record) (applied bool, err error) {
	st, err := b.load(w.Key)
	if err != nil {
		return false, errRecord(w.Key, err)
	}
	if w.Remove && len(w.Conds) == 0 {
		b.change(st, st.remove) // there are no conditions
		record.Reset(w.Layout)
		return true, nil
	}
	now, err := st.as(w.Layout)
	if err != nil {
		return false, errRecord(w.Key, err)
	}
	if applied = backend.Check(now, w); applied {
		if err := b.applyTo(st, w, now); err != nil {
			return false, err
		}
	}
	if w.Remove && applied {
		record.Reset(w.Layout)
	} else {
		record.CopyFrom(now)
	}
	return applied, nil
}

// Commit implements [backend.Backend]. It ignores the token: after ErrOutcomeUnknown a caller reads the records.
func (s *Store) Commit(ctx context.Context, _ [16]byte, writes []backend.Write) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := backend.ValidateCommit(writes); err != nil {
		return err
	}
	job := &committing{writes: own(ctx, writes)}
	if err := s.queue.do(ctx, &request{run: job.run, size: len(writes)}); err != nil {
		return err
	}
	return job.err
}

// committing is a call of Commit in a batch.
type committing struct {
	writes []backend.Write
	err    error
}

func (c *committing) run(b *batch) {
	states, next := make([]*state, len(c.writes)), make([]backend.Record, len(c.writes))
	for i := range c.writes {
		if c.err = b.check(&c.writes[i], i, &states[i], &next[i]); c.err != nil {
			return
		}
	}
	for i := range c.writes {
		st, w := states[i], &c.writes[i]
		switch {
		case w.Remove:
			b.change(st, st.remove)
		case len(w.Effects) > 0:
			b.change(st, func() {
				st.record.CopyFrom(&next[i])
				st.adopt(w)
			})
		}
	}
}

// check checks the conditions of a write of a commit, and sets next to the record after it. It changes nothing.
func (b *batch) check(w *backend.Write, i int, at **state, next *backend.Record) error {
	st, err := b.load(w.Key)
	if err != nil {
		return errRecord(w.Key, err)
	}
	if *at = st; w.Remove && len(w.Conds) == 0 {
		return nil // there are no conditions
	}
	now, err := st.as(w.Layout)
	if err != nil {
		return errRecord(w.Key, err)
	}
	next.CopyFrom(now)
	if !backend.Check(next, w) {
		return &backend.ConflictError{Index: i, Key: w.Key, Record: *next}
	}
	return backend.Apply(next, w)
}
