package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
)

var mutants = []mutant{
	{"Absent", "reads a key that was never written as zeros", zeros},
	{"Absent", "makes a record of a condition", conditionsMake},
	{"RoundTrip", "keeps numbers of 64 bits", sixtyFourBits},
	{"RoundTrip", "keeps no empty texts", noEmptyTexts},
	{"ReadOwnCommit", "reads a hundred keys and forgets the rest", halfRead},
	{"ReadOwnCommit", "adds to zero where a base is given", changes(func(w *backend.Write) {
		for i := range w.Effects {
			w.Effects[i].Base = backend.Num{}
		}
	})},
	{"AllOrNothing", "commits what stands before a conflict", commitsPrefix},
	{"Verdict", "refuses without a record", refusesBare},
	{"Verdict", "answers with the record as it was", answersBefore},
	{"Verdict", "names the first write of a commit", namesFirst},
	{"Verdict", "ignores or-absent", changes(func(w *backend.Write) {
		for i := range w.Conds {
			w.Conds[i].OrAbsent = false
		}
	})},
	{"Verdict", "finds nothing unequal that is not there", changes(func(w *backend.Write) {
		for _, c := range w.Conds {
			if c.Op == backend.NotEqual && !c.OrAbsent {
				w.Conds = append(w.Conds, backend.Cond{Slot: c.Slot, Op: backend.Present})
			}
		}
	})},
	{"Verdict", "looks at the first two conditions", changes(func(w *backend.Write) { w.Conds = w.Conds[:min(2, len(w.Conds))] })},
	{"OneMoment", "judges before it writes", judgesBefore},
	{"OneMoment", "judges a commit before it writes", judgesCommitBefore},
	{"Independent", "stops at a refusal", stopsAtRefusal},
	{"Views", "swaps the first two of an index", swapsIndex},
	{"Views", "begins a page with the last key of the one before", repeatsAfter},
	{"Views", "says that nothing follows", saysNoMore},
	{"Views", "lists upwards only", asks(func(q *backend.Query) { q.Reverse = false })},
	{"Views", "lists the upper bound", asks(func(q *backend.Query) {
		if q.To != "" {
			q.To += "\x00"
		}
	})},
	{"Apart", "has one namespace", renames(func(string) string { return "one" })},
	{"Apart", "folds the case of namespaces", renames(strings.ToLower)},
	{"Expiry", "drops the expiry with each write", changes(func(w *backend.Write) {
		if len(w.Effects) > 0 && w.Expiry == backend.KeepExpiry {
			w.Expiry = backend.NoExpiry
		}
	})},
	{"Expiry", "keeps instants of 32 bits", changes(func(w *backend.Write) {
		if w.Expiry >= 1<<32 {
			w.Expiry = 1
		}
	})},
	{"Limits", "takes reversed bounds for a refusal", takesReversed},
	{"Limits", "cuts long keys", cutsKeys},
	{"Limits", "adds to the greater of two and does not say that it can", addsUnsaid},
	{"Limits", "makes two commits of a long one", splitsCommits},
	{"Limits", "writes what stands beside an invalid write", writesBeside},
	{"Cancelled", "does not look at the context", ignoresContext},
	{"Cancelled", "writes before it looks at the context", looksLate},
	{"Errors", "lets raw errors through", rawErrors},
	{"Errors", "calls everything invalid", allInvalid},
	{"Errors", "keeps records back beside one that cannot be read", hidesBehindOdd},
	{"Closed", "still answers when it is closed", neverCloses},
	{"Closed", "can not be closed twice", closesOnce},
	{"Shared", "gives the same memory to two records", sharesRecords},
	{"Clockless", "takes expired records for absent when it judges", judgesExpired},
}

// changes lets a mutant see other writes than were sent.
func changes(change func(*backend.Write)) func(backend.Backend) broken {
	changed := func(writes []backend.Write) []backend.Write {
		writes = slices.Clone(writes)
		for i := range writes {
			w := &writes[i]
			w.Conds, w.Effects = slices.Clone(w.Conds), slices.Clone(w.Effects)
			if w.Validate() == nil {
				change(w)
			}
		}
		return writes
	}
	return func(inner backend.Backend) broken {
		return broken{
			apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
				return inner.Apply(ctx, changed(writes), out)
			},
			commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
				return inner.Commit(ctx, token, changed(writes))
			},
		}
	}
}

// asks lets a mutant see other queries than were asked.
func asks(change func(*backend.Query)) func(backend.Backend) broken {
	return func(inner backend.Backend) broken {
		return broken{list: func(ctx context.Context, q backend.Query) (backend.Keys, error) {
			change(&q)
			return inner.List(ctx, q)
		}}
	}
}

// renames lets a mutant keep its records in other namespaces.
func renames(rename func(string) string) func(backend.Backend) broken {
	key := func(k backend.Key) backend.Key {
		if k.Validate() == nil {
			k.Namespace = rename(k.Namespace)
		}
		return k
	}
	return func(inner backend.Backend) broken {
		b := changes(func(w *backend.Write) { w.Key = key(w.Key) })(inner)
		b.read = func(ctx context.Context, keys []backend.Key, out []backend.Record) error {
			keys = slices.Clone(keys)
			for i := range keys {
				keys[i] = key(keys[i])
			}
			return inner.Read(ctx, keys, out)
		}
		commit := b.commit
		b.commit = func(ctx context.Context, token [16]byte, writes []backend.Write) error {
			err := commit(ctx, token, writes)
			var conflict *backend.ConflictError
			if errors.As(err, &conflict) {
				conflict.Key = writes[conflict.Index].Key
			}
			return err
		}
		b.list = func(ctx context.Context, q backend.Query) (backend.Keys, error) {
			namespace := q.Namespace
			if q.Validate() == nil {
				q.Namespace = rename(namespace)
			}
			page, err := inner.List(ctx, q)
			for i := range page.Items {
				page.Items[i].Key.Namespace = namespace
			}
			return page, err
		}
		return b
	}
}

func zeros(inner backend.Backend) broken {
	var written sync.Map
	return broken{
		apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
			err := inner.Apply(ctx, writes, out)
			for i := range writes {
				if out[i].Applied {
					written.Store(writes[i].Key, true)
				}
			}
			return err
		},
		commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
			err := inner.Commit(ctx, token, writes)
			for i := range writes {
				if err == nil {
					written.Store(writes[i].Key, true)
				}
			}
			return err
		},
		read: func(ctx context.Context, keys []backend.Key, out []backend.Record) error {
			err := inner.Read(ctx, keys, out)
			for i, k := range keys {
				if _, ok := written.Load(k); !ok && err == nil {
					out[i].SetNum(0, backend.Num{})
				}
			}
			return err
		},
	}
}

func conditionsMake(inner backend.Backend) broken {
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		err := inner.Apply(ctx, writes, out)
		for i, w := range writes {
			if err == nil && out[i].Applied && !w.Remove && len(w.Effects) == 0 && !out[i].Record.Present() {
				w.Effects = []backend.Effect{{Slot: 0, Op: backend.Unset}}
				_ = inner.Apply(ctx, []backend.Write{w}, make([]backend.Outcome, 1))
			}
		}
		return err
	}}
}

// reads lets a mutant change what was read.
func reads(change func(i int, r *backend.Record)) func(backend.Backend) broken {
	return func(inner backend.Backend) broken {
		return broken{read: func(ctx context.Context, keys []backend.Key, out []backend.Record) error {
			err := inner.Read(ctx, keys, out)
			for i := range out {
				if err == nil && out[i].Present() {
					change(i, &out[i])
				}
			}
			return err
		}}
	}
}

func sixtyFourBits(inner backend.Backend) broken {
	return reads(func(_ int, r *backend.Record) {
		for _, s := range r.Layout().Slots() {
			if s.IsNumber() && r.Has(s) {
				var n backend.Num
				_ = n.UnmarshalText(fmt.Append(nil, r.Int64(s)))
				r.SetNum(s, n)
			}
		}
	})(inner)
}

func noEmptyTexts(inner backend.Backend) broken {
	return reads(func(_ int, r *backend.Record) {
		for _, s := range r.Layout().Slots() {
			if v, ok := r.Text(s); !s.IsNumber() && ok && v == "" {
				r.Unset(s)
			}
		}
	})(inner)
}

func halfRead(inner backend.Backend) broken {
	return reads(func(i int, r *backend.Record) {
		if i >= 101 {
			r.Reset(r.Layout())
		}
	})(inner)
}

func commitsPrefix(inner backend.Backend) broken {
	return broken{commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
		err := inner.Commit(ctx, token, writes)
		var conflict *backend.ConflictError
		if errors.As(err, &conflict) && conflict.Index > 0 {
			_ = inner.Apply(ctx, writes[:conflict.Index], make([]backend.Outcome, conflict.Index))
		}
		return err
	}}
}

// applies lets a mutant change the outcomes.
func applies(change func(w *backend.Write, before *backend.Record, o *backend.Outcome)) func(backend.Backend) broken {
	return func(inner backend.Backend) broken {
		return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
			keys, before := make([]backend.Key, len(writes)), make([]backend.Record, len(writes))
			for i, w := range writes {
				keys[i] = w.Key
				before[i].Reset(w.Layout)
			}
			_ = inner.Read(ctx, keys, before)
			err := inner.Apply(ctx, writes, out)
			for i := range out {
				if err == nil {
					change(&writes[i], &before[i], &out[i])
				}
			}
			return err
		}}
	}
}

func refusesBare(inner backend.Backend) broken {
	return applies(func(w *backend.Write, _ *backend.Record, o *backend.Outcome) {
		if !o.Applied {
			o.Record.Reset(w.Layout)
		}
	})(inner)
}

func answersBefore(inner backend.Backend) broken {
	return applies(func(_ *backend.Write, before *backend.Record, o *backend.Outcome) {
		if o.Applied {
			o.Record.CopyFrom(before)
		}
	})(inner)
}

func namesFirst(inner backend.Backend) broken {
	return broken{commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
		err := inner.Commit(ctx, token, writes)
		var conflict *backend.ConflictError
		if errors.As(err, &conflict) {
			conflict.Index, conflict.Key = 0, writes[0].Key
		}
		return err
	}}
}

// judged reads a record and judges a write, with nothing to keep others out until the write is sent.
func judged(ctx context.Context, inner backend.Backend, w *backend.Write) (backend.Record, bool) {
	r := make([]backend.Record, 1)
	r[0].Reset(w.Layout)
	_ = inner.Read(ctx, []backend.Key{w.Key}, r)
	holds := backend.Check(&r[0], w)
	runtime.Gosched()
	return r[0], holds
}

func judgesBefore(inner backend.Backend) broken {
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		if len(writes) != 1 || writes[0].Validate() != nil || len(writes[0].Effects) == 0 || len(writes[0].Conds) == 0 {
			return inner.Apply(ctx, writes, out)
		}
		r, holds := judged(ctx, inner, &writes[0])
		if !holds {
			out[0] = backend.Outcome{Record: r}
			return nil
		}
		w := writes[0]
		w.Conds = nil
		return inner.Apply(ctx, []backend.Write{w}, out)
	}}
}

func judgesCommitBefore(inner backend.Backend) broken {
	return broken{commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
		if backend.ValidateCommit(writes) != nil {
			return inner.Commit(ctx, token, writes)
		}
		writes = slices.Clone(writes)
		for i := range writes {
			if r, holds := judged(ctx, inner, &writes[i]); !holds {
				return &backend.ConflictError{Index: i, Key: writes[i].Key, Record: r}
			}
		}
		for i := range writes {
			if len(writes[i].Effects) > 0 {
				writes[i].Conds = nil
			}
		}
		return inner.Commit(ctx, token, writes)
	}}
}

func stopsAtRefusal(inner backend.Backend) broken {
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		if len(writes) == 1 || ctx.Err() != nil || refuse(writes) != nil ||
			slices.ContainsFunc(writes, func(w backend.Write) bool { return w.Validate() != nil }) {
			return inner.Apply(ctx, writes, out)
		}
		for i := range writes {
			if err := inner.Apply(ctx, writes[i:i+1], out[i:i+1]); err != nil || !out[i].Applied {
				return err
			}
		}
		return nil
	}}
}
