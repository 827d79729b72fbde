package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// openDesk returns the desk of a bucket, locked, nil if nobody has met there.
func (b *bucketState) openDesk() *desk {
	b.lock.Lock()
	d := b.desk
	b.lock.Unlock()
	if d == nil {
		return nil
	}
	d.mu.Lock()
	if d.ended || d.buyer == nil {
		d.mu.Unlock()
		return nil
	}
	return d
}

// unlock ends the use of a desk that openDesk has returned.
func (d *desk) unlock() { d.mu.Unlock() }

// born is the life of the bucket's record that the desk has charged.
func (d *desk) born() backend.Num { return d.buyer.Born() }

// limits are those that the desk's callers assume.
func (d *desk) limits() *limitset.Set { return d.terms.assumed }

// settle lets amounts, by position in the desk's limits, wait for the next write. It returns false, and does nothing, if they would
// lead beyond the range of debt.
func (d *desk) settle(now int64, delta pocket.Tokens, born backend.Num) bool {
	if !d.buyer.Settle(now, delta, born) {
		return false
	}
	d.act(pocket.Step{}, nil)
	return true
}

// retract is settle for refunds of what shall no longer count as an acquire.
func (d *desk) retract(now int64, delta pocket.Tokens, born backend.Num) {
	d.buyer.Retract(now, delta, born)
	d.act(pocket.Step{}, nil)
}

// deniedByPocket reports whether what this process knows of the bucket denies the request, before it is charged.
func (c *bucketCharge) deniedByPocket() bool {
	d := c.state.openDesk()
	if d == nil {
		return false
	}
	defer d.mu.Unlock()
	if d.terms != c.terms() {
		return false
	}
	m := c.meeting(d)
	if m.Until, c.denialKnown = d.buyer.Denies(c.now, m.Need); c.denialKnown {
		m.Verdict = pocket.Denied
		d.fill(m, nil)
		c.show(&m.tats, backend.Num{})
		c.setPause(m.Until)
	}
	return c.denialKnown
}

// pocketOf is how many tokens of the i-th assumed limit this process has bought and not handed out.
func (c *bucketCharge) pocketOf(i int) int64 {
	d := c.state.openDesk()
	if d == nil {
		return 0
	}
	defer d.mu.Unlock()
	if d.terms.assumed != c.assumed {
		return 0
	}
	return d.buyer.Pocket(i)
}

// reportLost reports what may be missing in the store. The caller holds d.mu.
func (d *desk) reportLost(kind reportKind, lost pocket.Tokens) {
	if tokens := named(d.terms.assumed, lost); len(tokens) > 0 {
		d.k.Report(context.Background(), report{Kind: kind, Bucket: d.state.id, Tokens: tokens, Err: backend.ErrOutcomeUnknown})
	}
}

// named are amounts by name, which are given by position in set. Zeros are left out.
func named(set *limitset.Set, amounts []int64) map[string]int64 {
	tokens := map[string]int64{}
	for i, n := range amounts {
		if n != 0 {
			tokens[set.Terms[i].Name] = n
		}
	}
	return tokens
}
