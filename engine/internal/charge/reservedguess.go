package charge

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// buildReserved builds a reservation, or the refund of one: reserve.Write says what each means. The token check is made as of an
// instant that may be in the future.
func (c *Charge) buildReserved() {
	w, now := c.Reserved, backend.Int(c.Now)
	c.form = form{}
	c.conds = append(c.conds[:0], backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: c.Creates && !w.Refund, Text: c.Assumed.Text})
	c.effects = append(c.effects[:0],
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now})
	if w.Refund {
		c.buildReservedRefund()
		return
	}
	for i := range w.Take {
		c.reserveLimit(i)
	}
	c.conds = append(c.conds,
		backend.Cond{Slot: schema.Path, Op: backend.AtMost, OrAbsent: true, A: backend.Int(max(c.Config.version, c.outlived))},
		backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.Nonce})
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(w.Acquired)},
		backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.Nonce})
	if c.writesPath {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Path, Op: backend.Set, Num: backend.Int(c.Config.version)})
	}
	if c.Creates {
		c.addCreation()
	}
	c.write(limitset.Expiry(c.Now, max(w.FullBy, c.Now), c.attempt.charger.MaxHold))
	if c.Creates {
		c.mayCreate()
	}
}

// reserveLimit adds the conditions and effects of limit i.
func (c *Charge) reserveLimit(i int) {
	w, rate, tat := c.Reserved, &c.Assumed.Rates[i], schema.Tat(i)
	n, y := w.Take[i], rate.Y(w.As)
	cost := rate.Cost(n)
	switch {
	case n == 0:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: w.Most[i]})
		return
	case w.Active>>i&1 == 1:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.Between, A: y.Add(one), B: w.Most[i]})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Add, Num: cost})
	default:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: y})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Set, Num: y.Add(cost)})
	}
	c.effects = append(c.effects, backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(n)})
}

// buildReservedRefund refunds a slot that is the last one on its record. It is sent once, and leaves the nonce and the expiry.
func (c *Charge) buildReservedRefund() {
	w := c.Reserved
	c.conds = append(c.conds, backend.Cond{Slot: schema.Born, Op: backend.Equal, A: w.Born})
	for i, n := range w.Take {
		if n == 0 {
			continue
		}
		c.conds = append(c.conds, backend.Cond{Slot: schema.Tat(i), Op: backend.Equal, A: w.Most[i]})
		c.effects = append(c.effects,
			backend.Effect{Slot: schema.Tat(i), Op: backend.Add, Num: c.Assumed.Rates[i].Cost(n).Neg()},
			backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(-n)})
	}
	c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(-w.Acquired)})
	c.write(backend.KeepExpiry)
}
