package charge

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// OpenDesk returns the desk of a bucket, locked, nil if nobody has met there.
func (b *State) OpenDesk() *Desk {
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

// Unlock ends the use of a desk that OpenDesk has returned.
func (d *Desk) Unlock() { d.mu.Unlock() }

// Born is the life of the bucket's record that the desk has charged.
func (d *Desk) Born() backend.Num { return d.buyer.Born() }

// Limits are those that the desk's callers assume.
func (d *Desk) Limits() *limitset.Set { return d.terms.Assumed }

// Settle lets amounts, by position in the desk's limits, wait for the next write. It returns false, and does nothing, if they would
// lead beyond the range of debt.
func (d *Desk) Settle(now int64, delta pocket.Tokens, born backend.Num) bool {
	if !d.buyer.Settle(now, delta, born) {
		return false
	}
	d.actLocked(pocket.Step{}, nil)
	return true
}

// Retract is Settle for refunds of what shall no longer count as an acquire.
func (d *Desk) Retract(now int64, delta pocket.Tokens, born backend.Num) {
	d.buyer.Retract(now, delta, born)
	d.actLocked(pocket.Step{}, nil)
}

// DeniedByPocket reports whether what this process knows of the bucket denies the request, before it is charged.
func (c *Charge) DeniedByPocket() bool {
	d := c.State.OpenDesk()
	if d == nil {
		return false
	}
	defer d.mu.Unlock()
	if d.terms != c.Terms() {
		return false
	}
	m := c.meeting(d)
	if m.Until, c.DenialKnown = d.buyer.Denies(c.Now, m.Need); c.DenialKnown {
		m.Verdict = pocket.Denied
		d.fillLocked(m, nil)
		c.useArrivals(&m.tats, backend.Num{})
		c.setPause(m.Until)
	}
	return c.DenialKnown
}

// PocketOf is how many tokens of the i-th assumed limit this process has bought and not handed out.
func (c *Charge) PocketOf(i int) int64 {
	d := c.State.OpenDesk()
	if d == nil {
		return 0
	}
	defer d.mu.Unlock()
	if d.terms.Assumed != c.Assumed {
		return 0
	}
	return d.buyer.Pocket(i)
}

// reportLost reports what may be missing in the store.
func (d *Desk) reportLost(kind Kind, lost pocket.Tokens) {
	d.k.ReportLost(kind, d.state.ID, Named(d.terms.Assumed, lost), backend.ErrOutcomeUnknown)
}

// ReportLost reports what tokens of a bucket are lost, if there are any.
func (k *Charger) ReportLost(kind Kind, id ID, tokens map[string]int64, err error) {
	if len(tokens) > 0 {
		k.Report(context.Background(), Report{Kind: kind, Bucket: id, Tokens: tokens, Err: err})
	}
}

// Named are amounts by name, which are given by position in set. Zeros are left out.
func Named(set *limitset.Set, amounts []int64) map[string]int64 {
	tokens := map[string]int64{}
	for i, n := range amounts {
		if n != 0 {
			tokens[set.Terms[i].Name] = n
		}
	}
	return tokens
}
