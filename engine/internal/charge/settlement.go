package charge

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Settlement is one write of a settlement: charges without the token check, and refunds. The charge has the amounts. One try calls, in
// this order, ClearAmounts, SetAmount and SetUsed for each limit, BuildSettlement, SendSettlement, and Settled; after a refusal also Learn.
type Settlement struct {
	Charges, Refunds bool        // there are charges; there are refunds, which only the life of the record that was charged takes
	Lowers           bool        // the count of acquires or a counter of usage is lowered, whatever is refunded
	Born             backend.Num // that life
	Acquired         int64       // by how much the count of acquires grows
}

// Once reports whether the write must not be sent twice: it refunds, or lowers counters.
func (w *Settlement) Once() bool { return w.Refunds || w.Lowers }

// NewSettlement returns a charge of its own for a settlement under a nonce. It assumes that the record has the limits that were
// seen last, or else required. It must be released.
func (k *Charger) NewSettlement(b *State, required *limitset.Set, nonce backend.Num, now int64) *Single {
	s := k.single(b, nil, now, false)
	c := &s.Charge[0]
	c.Nonce, c.Assumed = nonce, required
	clear(c.Arrivals[:])
	b.lock.Lock()
	if b.seen.set != nil {
		c.Assumed = b.seen.set
		b.seen.read(&c.Arrivals)
	}
	c.writes[0].Memo = b.memo
	b.lock.Unlock()
	return s
}

// ReadLimitsAgain reads the bucket, which had not all limits of the settlement when it was last seen: it may have got them since. If
// there is no record, the settlement assumes required.
func (k *Charger) ReadLimitsAgain(ctx context.Context, c *Charge, required *limitset.Set) error {
	r, err := k.Store.ReadOne(ctx, k.Key(c.State))
	if err != nil {
		return err
	}
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	c.Record().CopyFrom(r)
	c.remember(r, set, false)
	c.Assumed = set
	if set == nil {
		c.Assumed = required
		clear(c.Arrivals[:])
		return nil
	}
	c.observe()
	return nil
}

// ClearAmounts begins a try of a settlement. SetAmount and SetUsed set its amounts.
func (c *Charge) ClearAmounts() {
	clear(c.Need[:])
	clear(c.used[:])
}

// SetAmount makes the settlement charge n tokens of the limit at position i, or refund −n.
func (c *Charge) SetAmount(i int, n int64) { c.Need[i], c.used[i] = n, n }

// SetUsed makes the settlement count n tokens of the limit at position i as used, whatever it charges.
func (c *Charge) SetUsed(i int, n int64) { c.used[i] = n }

// SendSettlement sends the write that BuildSettlement has built. One that must not be sent twice is not sent again if it may have been
// applied, because a second refund would create tokens. A refusal is not an error: see Settled.
func (k *Charger) SendSettlement(ctx context.Context, c *Charge, w Settlement) error {
	if !w.Once() {
		return k.send(ctx, c)
	}
	return k.Store.RetryUnapplied(ctx, func() error {
		_, err := k.apply(ctx, c)
		return err
	})
}

// Settled reports whether the settlement was applied, by this try or an earlier one, and to which life of the record.
func (c *Charge) Settled(w Settlement) (born backend.Num, yes bool) {
	r := c.Record()
	if !c.outs[0].Applied && !(w.Charges && c.isMine(r)) {
		return born, false
	}
	born, _ = r.Num(schema.Born)
	c.remember(r, c.Assumed, true)
	return born, true
}

// Learn makes the record that has refused a settlement what the next try assumes.
func (k *Charger) Learn(c *Charge) error {
	r := c.Record()
	if !r.Present() {
		clear(c.Arrivals[:])
		c.remember(r, nil, false)
		return nil
	}
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	c.Assumed = set
	c.observe()
	c.remember(r, set, false)
	return nil
}

// GiveWay lets others write before the next try of a settlement, if several have lost. It returns false if ctx leaves no time.
func (k *Charger) GiveWay(ctx context.Context, c *Charge) bool {
	return c.Tries <= mostWrongGuesses || k.Store.GiveWay(ctx, c.Tries-mostWrongGuesses)
}

// BuildSettlement builds the write: charges without the token check, and refunds. Beside a charge, every limit gets an upper bound:
// the one that the expiry and the range of debt were computed with.
func (c *Charge) BuildSettlement(w Settlement) error {
	active, full := false, c.Now
	c.form = form{}
	c.conds = append(c.conds[:0], backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: !w.Refunds, Text: c.Assumed.Text})
	c.effects = c.effects[:0]
	for i := range c.Assumed.Rates {
		rate, n := &c.Assumed.Rates[i], c.Need[i]
		if n < 0 {
			c.addRefund(i, -n)
		}
		if used := c.used[i]; used != 0 {
			c.effects = append(c.effects, backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(used)})
		}
		if !w.Charges {
			continue
		}
		bound, isActive, err := c.bound(i)
		if err != nil {
			return err
		}
		active = active || isActive
		full = max(full, rate.FullAt(bound.Add(rate.Cost(max(n, 0)))))
	}
	c.addTrace(w, active, full)
	return nil
}

// bound puts the upper bound on the i-th limit, and the charge, if there is one.
func (c *Charge) bound(i int) (bound backend.Num, active bool, err error) {
	rate, n, a := &c.Assumed.Rates[i], c.Need[i], c.Arrivals[i]
	y := rate.Y(c.Now)
	bound = rate.Ceiling(y)
	if a.Seen {
		bound = later(bound, a.At)
	}
	if c.Tries > 1 { // others write faster: what they take meanwhile must not refuse every try
		bound = bound.Add(rate.Cost(rate.Capacity()))
	}
	tat := schema.Tat(i)
	if n <= 0 {
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: bound})
		return bound, false, nil
	}
	cost := rate.Cost(n)
	highest := rate.DebtLimit(y).Sub(cost)
	if highest.Less(rate.Base(a, y)) && (c.Tries > 1 || highest.Less(y)) {
		return bound, false, OutOfDebt(c.Assumed.Terms[i].Name, n)
	}
	if highest.Less(bound) {
		bound = highest
	}
	if c.noRegimes { // both regimes in one
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: bound})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.AddFrom, Num: cost, Base: y})
		return later(bound, y), false, nil
	}
	if rate.IsFull(a, y) || bound.LessEq(y) {
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: y})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Set, Num: y.Add(cost)})
		return y, false, nil
	}
	c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.Between, A: y.Add(one), B: bound})
	c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Add, Num: cost})
	return bound, true, nil
}

// addRefund subtracts what n tokens of the i-th limit cost; an arrival that is absent counts as now.
func (c *Charge) addRefund(i int, n int64) {
	rate := &c.Assumed.Rates[i]
	c.effects = append(c.effects, backend.Effect{Slot: schema.Tat(i), Op: backend.Add, Num: rate.Cost(n).Neg(), Base: rate.Y(c.Now)})
}

// addTrace adds what a settlement leaves in the record besides arrivals and counters.
func (c *Charge) addTrace(w Settlement, active bool, full int64) {
	now := backend.Int(c.Now)
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now})
	if w.Acquired != 0 {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(w.Acquired)})
	}
	if w.Refunds {
		c.conds = append(c.conds, backend.Cond{Slot: schema.Born, Op: backend.Equal, A: w.Born})
	}
	if !w.Charges { // the nonce is left alone, and so is the expiry
		c.write(backend.KeepExpiry)
		return
	}
	c.conds = append(c.conds, backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.Nonce})
	c.effects = append(c.effects, backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.Nonce})
	if !active && !w.Refunds {
		c.addCreation()
	}
	c.write(limitset.Expiry(c.Now, full, c.attempt.charger.MaxHold))
	if !active && !w.Refunds {
		c.mayCreate()
	}
}
