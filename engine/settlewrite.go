package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// settlementWrite is one write of a settlement: charges without the token check, and refunds. The charge has the amounts.
type settlementWrite struct {
	ups, downs bool        // there are charges; there are refunds, which only the life of the record that was charged takes
	born       backend.Num // that life
	acquired   int64       // by how much the count of acquires grows
}

// singleSettlement returns a charge of its own for a settlement under a nonce. It assumes that the record has the limits that were
// seen last, or else required. It must be released.
func (k *charger) singleSettlement(b *bucketState, required *limitset.Set, nonce backend.Num, now int64) *single {
	s := k.single(b, nil, now, false, k.noRegimes)
	c := &s.charge[0]
	c.nonce, c.assumed = nonce, required
	clear(c.tats[:])
	b.lock.Lock()
	if b.seen.set != nil {
		c.assumed = b.seen.set
		b.seen.read(&c.tats)
	}
	c.writes[0].Memo = b.memo
	b.lock.Unlock()
	return s
}

// readLimitsAgain reads the bucket, which had not all limits of the settlement when it was last seen: it may have got them since. If
// there is no record, the settlement assumes required.
func (k *charger) readLimitsAgain(ctx context.Context, c *bucketCharge, required *limitset.Set) error {
	r, err := k.Store.ReadOne(ctx, k.key(c.state))
	if err != nil {
		return err
	}
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	c.record().CopyFrom(r)
	c.remember(r, set, false)
	if c.assumed = set; set == nil {
		c.assumed = required
		clear(c.tats[:])
		return nil
	}
	c.observe()
	return nil
}

// forgetAmounts begins a try of a settlement. Its amounts are set by settles.
func (c *bucketCharge) forgetAmounts() {
	clear(c.need[:])
	clear(c.used[:])
}

// settles makes the settlement charge n tokens of the limit at position i, or refund −n.
func (c *bucketCharge) settles(i int, n int64) { c.need[i], c.used[i] = n, n }

// counts makes the settlement count n tokens of the limit at position i as used, whatever it charges.
func (c *bucketCharge) counts(i int, n int64) { c.used[i] = n }

// sendSettlement builds a settlement's write and sends it. One with refunds is sent once, because a second one would create tokens.
// A refusal is not an error: see settled.
func (k *charger) sendSettlement(ctx context.Context, c *bucketCharge, w settlementWrite) error {
	if !w.downs {
		return k.send(ctx, c)
	}
	return k.Store.RetryOnce(ctx, func() error {
		_, err := k.apply(ctx, c)
		return err
	})
}

// settled reports whether the settlement was applied, by this try or an earlier one, and to which life of the record.
func (c *bucketCharge) settled(w settlementWrite) (born backend.Num, yes bool) {
	r := c.record()
	if !c.outs[0].Applied && !(w.ups && c.isMine(r)) {
		return born, false
	}
	born, _ = r.Num(schema.Born)
	c.remember(r, c.assumed, true)
	return born, true
}

// learn makes the record that has refused a settlement what the next try assumes.
func (k *charger) learn(c *bucketCharge) error {
	r := c.record()
	if !r.Present() {
		clear(c.tats[:])
		c.remember(r, nil, false)
		return nil
	}
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	c.assumed = set
	c.observe()
	c.remember(r, set, false)
	return nil
}

// giveWay lets others write before the next try of a settlement, if several have lost. It returns false if ctx leaves no time.
func (k *charger) giveWay(ctx context.Context, c *bucketCharge) bool {
	return c.tries <= mostWrongGuesses || k.Store.GiveWay(ctx, c.tries-mostWrongGuesses)
}

// buildSettlement writes charges without the token check, and refunds. Beside a charge, every limit gets an upper bound: the one that
// the expiry and the range of debt were computed with.
func (c *bucketCharge) buildSettlement(w settlementWrite) error {
	active, full := false, c.now
	c.form = form{}
	c.conds = append(c.conds[:0], backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: !w.downs, Text: c.assumed.Text})
	c.effects = c.effects[:0]
	for i := range c.assumed.Rates {
		rate, n := &c.assumed.Rates[i], c.need[i]
		if n < 0 {
			c.addRefund(i, -n)
		}
		if used := c.used[i]; used != 0 {
			c.effects = append(c.effects, backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(used)})
		}
		if !w.ups {
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
func (c *bucketCharge) bound(i int) (bound backend.Num, active bool, err error) {
	rate, n, a := &c.assumed.Rates[i], c.need[i], c.tats[i]
	y := rate.Y(c.now)
	bound = rate.Ceiling(y)
	if a.Seen {
		bound = later(bound, a.At)
	}
	if c.tries > 1 { // others write faster: what they take meanwhile must not refuse every try
		bound = bound.Add(rate.Cost(rate.Capacity()))
	}
	tat := schema.Tat(i)
	if n <= 0 {
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: bound})
		return bound, false, nil
	}
	cost := rate.Cost(n)
	highest := rate.DebtLimit(y).Sub(cost)
	if highest.Less(rate.Base(a, y)) && (c.tries > 1 || highest.Less(y)) {
		return bound, false, outOfDebt(c.assumed.Terms[i].Name, n)
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
func (c *bucketCharge) addRefund(i int, n int64) {
	rate := &c.assumed.Rates[i]
	c.effects = append(c.effects, backend.Effect{Slot: schema.Tat(i), Op: backend.Add, Num: rate.Cost(n).Neg(), Base: rate.Y(c.now)})
}

// addTrace adds what a settlement leaves in the record besides arrivals and counters.
func (c *bucketCharge) addTrace(w settlementWrite, active bool, full int64) {
	now := backend.Int(c.now)
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now})
	if w.acquired != 0 {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(w.acquired)})
	}
	if w.downs {
		c.conds = append(c.conds, backend.Cond{Slot: schema.Born, Op: backend.Equal, A: w.born})
	}
	if !w.ups { // the nonce is left alone, and so is the expiry
		c.write(backend.KeepExpiry)
		return
	}
	c.conds = append(c.conds, backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.nonce})
	c.effects = append(c.effects, backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.nonce})
	if !active && !w.downs {
		c.addCreation()
	}
	c.write(limitset.Expiry(c.now, full, c.of.hold))
	if !active && !w.downs {
		c.mayCreate()
	}
}
