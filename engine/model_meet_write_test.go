package engine_test

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// took is told of every write that took effect on a bucket. The caller holds h.mu.
func (h *hall) took(p int, w *backend.Write, now *backend.Record) (done delta) {
	b := entityOf(w.Key)
	was := &h.seen[b]
	before, after := h.terms(was), h.terms(now)
	born, _ := now.Num(schema.Born)
	oldBorn, lived := was.Num(schema.Born)
	life := h.lifeOf(b, born)
	if lived && born != oldBorn {
		h.wasReset(b)
	}
	converted := was.Present() && !slices.Equal(before, after)
	if converted {
		h.wasConverted(b, before, after)
	}
	books := h.books(p, b, life)
	for i := range after {
		n, used := nameIndex(after[i].Name), now.Int64(schema.Used(i))-usedNamed(was, before, after[i].Name)
		moved := used
		if !converted && !swaps(w) {
			moved = movedBy(w, i, &after[i])
		}
		if trouble := h.faults || h.slow || h.leaves; !trouble && moved != used && !h.prefetches(p) && !fillsUp(w, i) {
			h.fail("p%d: a write of e%d charges %d of %s, and counts %d as used", p, b, moved, after[i].Name, used)
		}
		if fillsUp(w, i) {
			h.procs[p].doubt[b].up[n] += max(0, books.charged[n]-books.handed[n])
		}
		done.moved[n], done.used[n] = moved, used
		books.charged[n] += moved
		h.procs[p].used[b][n] += used
		h.say("      e%d life %d %s: moved %d, used %d", b, life, after[i].Name, moved, used)
	}
	done.acquires = now.Int64(schema.Acq) - was.Int64(schema.Acq)
	h.procs[p].acquires[b] += done.acquires
	h.checkBooks(p, b, life)
	was.CopyFrom(now)
	h.remember(b)
	if lived && born != oldBorn {
		h.procs[p].cleared[b] = h.versions
	}
	return done
}

// delta is what a write changes in a bucket.
type delta struct {
	moved, used [2]int64
	acquires    int64
}

// foresee is the delta of a write that was not carried out.
func (h *hall) foresee(b int, w *backend.Write) (d delta) {
	for _, c := range w.Conds {
		if c.Slot == schema.L && c.Text != "" {
			for i, t := range h.unpacked(c.Text) {
				d.moved[i] = movedBy(w, i, &t)
			}
		}
	}
	for i := range d.used {
		d.used[i] = added(w, schema.Used(i), &h.seen[b])
		if swaps(w) {
			d.moved[i] = d.used[i]
		}
	}
	d.acquires = added(w, schema.Acq, &h.seen[b])
	return d
}

// added is what a write adds to a counter of a record.
func added(w *backend.Write, s backend.Slot, r *backend.Record) int64 {
	for i := range w.Effects {
		if e := &w.Effects[i]; e.Slot == s && e.Op == backend.Add {
			return e.Num.SaturateInt64()
		} else if e.Slot == s && e.Op == backend.Set {
			return e.Num.SaturateInt64() - r.Int64(s)
		}
	}
	return 0
}

func usedNamed(r *backend.Record, terms []schema.Term, name string) int64 {
	for i := range terms {
		if terms[i].Name == name {
			return r.Int64(schema.Used(i))
		}
	}
	return 0
}

// swaps reports whether a write is a compare-and-set: it tells nothing of what it charges.
func swaps(w *backend.Write) bool {
	return slices.ContainsFunc(w.Conds, func(c backend.Cond) bool { return c.Slot == schema.Ver })
}

// fillsUp reports whether a write that refunds finds the i-th limit full: nobody can tell what it refunds, and it has no effect.
func fillsUp(w *backend.Write, i int) bool {
	return refundsSome(w) && slices.ContainsFunc(w.Effects, func(e backend.Effect) bool { return e.Slot == schema.Tat(i) && e.Op == backend.Set })
}

// refunds reports whether a write refunds tokens.
func refundsSome(w *backend.Write) bool {
	return slices.ContainsFunc(w.Conds, func(c backend.Cond) bool { return c.Slot == schema.Born }) && !swaps(w)
}

// movedBy is how many tokens of the i-th limit a write charges, by its effects; below zero: refunds.
func movedBy(w *backend.Write, i int, t *schema.Term) int64 {
	tat, rate := schema.Tat(i), t.Rate()
	for k := range w.Effects {
		e := &w.Effects[k]
		if e.Slot != tat {
			continue
		}
		units := e.Num
		if e.Op == backend.Set {
			for _, c := range w.Conds {
				if c.Slot == tat && c.Op == backend.AtMost {
					units = e.Num.Sub(c.A)
				}
			}
		}
		return tokensOf(units, &rate)
	}
	return 0
}

func tokensOf(units backend.Num, rate *bucket.Rate) int64 {
	price, _ := rate.Cost(1).Int64()
	return units.DivFloor(price).SaturateInt64()
}

// terms are the limits of a bucket's record.
func (h *hall) terms(r *backend.Record) []schema.Term {
	if packed, ok := r.Text(schema.L); ok {
		return h.unpacked(packed)
	}
	return nil
}

// unpacked are limits as they are stored.
func (h *hall) unpacked(packed string) []schema.Term {
	terms, known := h.packed[packed]
	if !known {
		var err error
		if terms, err = schema.Unpack(packed); err != nil {
			h.fail("L: %v", err)
		}
		h.packed[packed] = terms
	}
	return terms
}
