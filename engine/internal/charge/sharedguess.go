package charge

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// isSentOnce reports whether the write that is being sent must not be sent twice.
func (c *Charge) isSentOnce() bool {
	return c.shared != nil && c.shared.Once() || c.Reserved != nil && c.Reserved.Refund
}

// buildShared builds a write that callers share: as buildGuess, with n tokens under the token check (Take), u without it
// (Charge) and d refunded (Refund); s is the slack of a prefetched bucket, in units.
//
//	full          tat absent or ≤ y                              tat ← y + (n+u)·p
//	active        y−s+1 ≤ tat ≤ y + (C−n+d)·p                    tat ← tat + (n+u−d)·p
//	only refunds  no condition                                   tat ← tat − d·p
//	nothing       tat absent or ≤ y + C·p, if callers are served
//
// The upper bound of a limit that is charged without the check is the one that the expiry is computed with.
func (c *Charge) buildShared() {
	w, now := c.shared, backend.Int(c.Now)
	refunds, full := slices.Max(w.Refund) > 0, limitset.AddSaturated(c.Now, c.Assumed.Fill)
	c.form = form{}
	c.conds = append(c.conds[:0],
		backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: c.Creates && !refunds, Text: c.Assumed.Text},
		backend.Cond{Slot: schema.Path, Op: backend.AtMost, OrAbsent: true, A: backend.Int(c.Config.version)},
		backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.Nonce})
	c.effects = append(c.effects[:0],
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now},
		backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.Nonce})
	for i := range c.Assumed.Rates {
		full = max(full, c.shareLimit(w, i))
	}
	if refunds {
		c.conds = append(c.conds, backend.Cond{Slot: schema.Born, Op: backend.Equal, A: w.Born})
	}
	if w.Acquired != 0 {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(w.Acquired)})
	}
	if c.writesPath {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Path, Op: backend.Set, Num: backend.Int(c.Config.version)})
	}
	creates := c.Creates && !refunds
	if creates {
		c.addCreation()
	}
	c.write(limitset.Expiry(c.Now, full, c.attempt.charger.MaxHold))
	if creates {
		c.mayCreate()
	}
}

// shareLimit adds the conditions and effects of limit i. It returns when the limit is full again at the latest, in ns since
// the Unix epoch.
func (c *Charge) shareLimit(w *pocket.Write, i int) (full int64) {
	rate, y, tat := &c.Assumed.Rates[i], c.ys[i], schema.Tat(i)
	up, down := rate.Cost(w.Take[i]+w.Charge[i]), rate.Cost(w.Refund[i])
	most := rate.Ceiling(y)
	if w.Charge[i] > 0 && c.Arrivals[i].Seen {
		most = later(most, c.Arrivals[i].At)
	}
	if w.Charge[i] > 0 && w.Tries > 0 { // as in bound
		most = most.Add(rate.Cost(rate.Capacity()))
	}
	if w.Take[i] > 0 {
		most = rate.Ceiling(y).Sub(rate.Cost(w.Take[i])).Add(down)
	}
	active := w.Active>>i&1 == 1
	switch {
	case up.IsZero() && down.IsZero():
		if w.Checked {
			c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: most})
		}
	case up.IsZero():
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Add, Num: down.Neg(), Base: y})
	case active:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.Between, A: rate.Y(c.Now - w.Slack).Add(one), B: most})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Add, Num: up.Sub(down)})
	default:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: y})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Set, Num: y.Add(up)})
	}
	if used := w.Used[i]; used != 0 {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(used)})
	}
	return rate.FullAt(most.Add(up))
}
