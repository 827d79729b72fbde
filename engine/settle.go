package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// settle writes what is due of a part in one write: charges without the token check, which may lead to debt, and refunds,
// which only the life of the record that was charged takes. A refund is sent once: if its outcome is unknown, it counts as
// made, and is counted as lost. After an error what is still due may be settled again; a charge of unknown outcome comes
// first then.
func (l *Limiter) settle(ctx context.Context, p *part, now int64) error {
	p.state = l.current(p.state)
	if l.prefetch {
		if done, err := l.settleAtDesk(p, now); done {
			return err
		}
	}
	return l.settleTogether(ctx, p, now)
}

// settleDirectly is settle by a write of its own.
func (l *Limiter) settleDirectly(ctx context.Context, p *part, now int64) error {
	a := l.attempts.Get().(*attempt)
	defer l.release(a)
	a.n, a.now = 0, now
	c := a.addCharge(p.state, nil, false, l.noRegimes)
	err := l.settleCharge(ctx, a, c, p)
	if err != nil && c.unsure {
		p.markUnsure(c.nonce)
	}
	return err
}

func (l *Limiter) settleCharge(ctx context.Context, a *attempt, c *bucketCharge, p *part) error {
	c.nonce, c.assumed = p.nonce(), p.required
	clear(c.tats[:])
	c.state.lock.Lock()
	if c.state.seen.set != nil {
		c.assumed = c.state.seen.set
		c.state.seen.read(&c.tats)
	}
	c.writes[0].Memo = c.state.memo
	c.state.lock.Unlock()
	if !p.dueIn(c.assumed) {
		if err := l.readLimitsAgain(ctx, c, p); err != nil {
			return err
		}
	}
	for c.tries = 1; c.tries <= mostTries; c.tries++ {
		ups, downs := c.takeDue(p)
		if !ups && !downs {
			p.done()
			return nil
		}
		if err := c.buildSettlement(p, ups, downs); err != nil {
			return err
		}
		if done, err := l.sendSettlement(ctx, a, c, p, ups, downs); done || err != nil {
			return err
		}
		if c.tries > mostWrongGuesses && !l.store.GiveWay(ctx, c.tries-mostWrongGuesses) {
			break
		}
	}
	return ErrContention
}

// readLimitsAgain reads the bucket, which had not all limits that something is due of when it was last seen: it may have got
// them since, and only what has nowhere to go now is void.
func (l *Limiter) readLimitsAgain(ctx context.Context, c *bucketCharge, p *part) error {
	r, err := l.store.ReadOne(ctx, l.key(c.state))
	if err != nil {
		return err
	}
	set, err := l.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	c.record().CopyFrom(r)
	c.remember(r, set, false)
	if c.assumed = set; set == nil {
		c.assumed = p.required
		clear(c.tats[:])
		return nil
	}
	c.observe()
	return nil
}

// takeDue puts the amounts that are due on the limits of the record. Those that it has no more are void.
func (c *bucketCharge) takeDue(p *part) (ups, downs bool) {
	clear(c.need[:])
	clear(c.used[:])
	for i := range p.size() {
		n := p.due(i)
		if n == 0 {
			continue
		}
		j := c.assumed.Index(p.name(i))
		if j < 0 {
			p.drop(i)
			continue
		}
		c.need[j], c.used[j] = n, n
		ups, downs = ups || n > 0, downs || n < 0
	}
	downs = downs || p.retracts() != 0
	if o := p.owed(); o != nil {
		ups = true
		for i, n := range o.Used {
			if j := c.assumed.Index(p.name(i)); j >= 0 {
				c.used[j] = n
			}
		}
	}
	return ups, downs
}

// sendSettlement makes the write and learns from its outcome; done when nothing is left to try.
func (l *Limiter) sendSettlement(ctx context.Context, a *attempt, c *bucketCharge, p *part, ups, downs bool) (done bool, err error) {
	if downs {
		err = l.store.RetryOnce(ctx, func() error {
			_, err := l.apply(ctx, a, c)
			return err
		})
	} else {
		err = l.send(ctx, a, c)
	}
	switch {
	case err == nil:
	case downs && errors.Is(err, backend.ErrOutcomeUnknown):
		l.lose(p, err)
		if !ups {
			return true, nil
		}
		if a.abandoned.Load() {
			return false, err
		}
		return false, nil // the charge is sent again alone, under the same nonce
	default:
		return false, err
	}
	r := c.record()
	if c.outs[0].Applied || ups && c.isMine(r) {
		born, _ := r.Num(schema.Born)
		p.begin(born)
		p.done()
		c.remember(r, c.assumed, true)
		return true, nil
	}
	return false, l.refusedSettlement(c, p, downs)
}

// refusedSettlement learns from a refusal. Refunds to a life of the record that is over are void.
func (l *Limiter) refusedSettlement(c *bucketCharge, p *part, downs bool) error {
	r := c.record()
	born, present := r.Num(schema.Born)
	if downs && (!present || born != p.born) {
		for i := range p.size() {
			if p.at(i).pending < 0 {
				p.drop(i)
			}
		}
		if o := p.owed(); o != nil && o.Acquired < 0 { // what a reservation has counted is over, too
			p.rare.owed = nil
		}
		if p.rare != nil {
			p.rare.retracts = 0
		}
	}
	if !present {
		clear(c.tats[:])
		c.remember(r, nil, false)
		return nil
	}
	set, err := l.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	c.assumed = set
	c.observe()
	c.remember(r, set, false)
	return nil
}

// buildSettlement writes charges without the token check, and refunds. Beside a charge, every limit gets an upper bound: the one that
// the expiry and the range of debt were computed with.
func (c *bucketCharge) buildSettlement(p *part, ups, downs bool) error {
	active, full := false, c.now
	c.form = form{}
	c.conds = append(c.conds[:0], backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: !downs, Text: c.assumed.Text})
	c.effects = c.effects[:0]
	for i := range c.assumed.Rates {
		rate, n := &c.assumed.Rates[i], c.need[i]
		if n < 0 {
			c.addRefund(i, -n)
		}
		if used := c.used[i]; used != 0 {
			c.effects = append(c.effects, backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(used)})
		}
		if !ups {
			continue
		}
		bound, isActive, err := c.bound(i)
		if err != nil {
			return err
		}
		active = active || isActive
		full = max(full, rate.FullAt(bound.Add(rate.Cost(max(n, 0)))))
	}
	c.addTrace(p, ups, downs, active, full)
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
func (c *bucketCharge) addTrace(p *part, ups, downs, active bool, full int64) {
	now := backend.Int(c.now)
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now})
	if o := p.owed(); o != nil && o.Acquired != 0 {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(o.Acquired)})
	}
	if n := p.retracts(); n != 0 {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(-n)})
	}
	if downs {
		c.conds = append(c.conds, backend.Cond{Slot: schema.Born, Op: backend.Equal, A: p.born})
	}
	if !ups { // the nonce is left alone, and so is the expiry
		c.write(backend.KeepExpiry)
		return
	}
	c.conds = append(c.conds, backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.nonce})
	c.effects = append(c.effects, backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.nonce})
	if !active && !downs {
		c.addCreation()
	}
	c.write(limitset.Expiry(c.now, full, c.hold))
	if !active && !downs {
		c.mayCreate()
	}
}
