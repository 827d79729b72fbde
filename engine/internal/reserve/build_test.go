package reserve_test

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// apply checks a write and applies it as stores do.
func (s *stored) apply(w *reserve.Write) bool {
	r := new(backend.Record)
	r.Reset(schema.BucketLayout)
	r.SetPresent()
	r.SetNum(schema.Ver, backend.Int(s.ver))
	r.SetNum(schema.Born, s.born)
	r.SetNum(schema.Acq, backend.Int(s.acq))
	for i, tat := range s.tats {
		if tat.Seen {
			r.SetNum(schema.Tat(i), tat.At)
		}
	}
	applied, err := backend.CheckAndApply(r, build(w, s.rates))
	if err != nil {
		panic(err) // a write that stores refuse
	}
	s.ver, s.acq = r.Int64(schema.Ver), r.Int64(schema.Acq)
	for i := range s.tats {
		s.tats[i].At, s.tats[i].Seen = r.Num(schema.Tat(i))
	}
	return applied
}

// build is how a driver builds a write, without what all writes of the engine have.
func build(w *reserve.Write, rates []bucket.Rate) *backend.Write {
	write := &backend.Write{Layout: schema.BucketLayout, Effects: []backend.Effect{{Slot: schema.Ver, Op: backend.Add, Num: backend.Int(1)}}}
	cond := func(c backend.Cond) { write.Conds = append(write.Conds, c) }
	effect := func(slot backend.Slot, op backend.EffectOp, n backend.Num) {
		write.Effects = append(write.Effects, backend.Effect{Slot: slot, Op: op, Num: n})
	}
	sign := int64(1)
	if w.Refund {
		sign = -1
		cond(backend.Cond{Slot: schema.Born, Op: backend.Equal, A: w.Born})
	}
	for i, n := range w.Take {
		rate, tat := &rates[i], schema.Tat(i)
		y, cost := rate.Y(w.As), rate.Cost(n)
		switch {
		case n == 0 && w.Refund:
			continue
		case n == 0:
			cond(backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: w.Most[i]})
			continue
		case w.Refund:
			cond(backend.Cond{Slot: tat, Op: backend.Equal, A: w.Most[i]})
			effect(tat, backend.Add, cost.Neg())
		case w.Active>>i&1 == 0:
			cond(backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: y})
			effect(tat, backend.Set, y.Add(cost))
		default:
			cond(backend.Cond{Slot: tat, Op: backend.Between, A: y.Add(backend.Int(1)), B: w.Most[i]})
			effect(tat, backend.Add, cost)
		}
		effect(schema.Used(i), backend.Add, backend.Int(sign*n))
	}
	effect(schema.Acq, backend.Add, backend.Int(sign*w.Acquired))
	return write
}
