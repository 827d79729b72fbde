package settle

import (
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// merge adds what a further applied charge leaves. What was charged to an earlier life of the bucket is gone.
func (p *Part) merge(c *charge.Charge) {
	var more Part
	more.Hold(c)
	p.begin(more.born)
	for i := range more.Size() {
		a := p.amount(more.Name(i))
		if a == nil {
			a = p.add(more.Name(i))
		}
		a.held += more.at(i).held
	}
	p.Trim() // what is left of an earlier life has no effect, also not on what is charged from now on
}

// since adapts a part that was charged at now to a lease whose acquire, at the time charged, asked for nothing of this
// bucket: the arrival times are moved back to that time.
func (p *Part) since(charged, now int64) {
	for i := range p.Required.Terms {
		a, rate := p.at(i), &p.Required.Rates[i]
		a.asked, a.left = 0, a.left.Sub(rate.Y(now)).Add(rate.Y(charged))
	}
}

// RefundAll makes all that is held pending to be refunded.
func (p *Part) RefundAll() {
	for i := range p.Size() {
		a := p.at(i)
		a.pending, a.void = -a.held, 0
	}
	if u := p.unsure(); u != nil {
		u.unwanted = true
	}
}

// Left is how much of the i-th limit the lease may still be adjusted downwards.
func (p *Part) Left(i int) int64 {
	a := p.at(i)
	return a.held + p.sent(i) + a.pending + a.void
}

// Consumed is how much of the i-th limit was charged and not refunded, or is pending. Of a refund that is pending, what is above
// the tokens that the part holds has no effect. known is false if nothing was asked of the limit and nothing is consumed.
func (p *Part) Consumed(i int) (n int64, known bool) {
	a := p.at(i)
	n = a.held + a.gone + p.sent(i) + max(a.pending, -a.held-p.sent(i))
	return n, n != 0 || a.asked != 0
}

// adjust makes n tokens pending if the part has the limit: to be charged, or refunded if n is negative.
func (p *Part) adjust(name string, n int64) {
	if a := p.amount(name); a != nil {
		a.pending += n
	}
}

// ExceedsDebt reports whether n more tokens of the i-th limit would lead beyond the range of debt.
func (p *Part) ExceedsDebt(i int, n int64) bool {
	a := p.at(i)
	return n > 0 && (n > bucket.MaxDebt || p.Left(i)-a.void+n > bucket.MaxDebt || a.pending+n > bucket.MaxDebt)
}

// Limit is the i-th required limit as it was right after the acquire.
func (p *Part) Limit(i int) charge.LimitState {
	left := bucket.Arrival{At: p.at(i).left, Seen: true}
	return charge.LimitState{ID: &p.state.ID, Set: p.Required, Arrival: left, Requested: p.at(i).asked, Index: uint8(i)}
}

// usageBeyond is what the part adds to the counters of usage of limits that set does not have, by name; of all if set is nil. What
// lowers them is left out.
func (p *Part) usageBeyond(set *limitset.Set) (used map[string]int64) {
	for i := range p.Size() {
		n := p.due(i)
		if o := p.owed(); o != nil {
			n = o.Used[i]
		}
		if n <= 0 || set.Index(p.Name(i)) >= 0 {
			continue
		}
		if used == nil {
			used = map[string]int64{}
		}
		used[p.Name(i)] = n
	}
	return used
}

// retracts is how many acquires shall no longer be counted.
func (p *Part) retracts() int64 {
	if p.rare == nil {
		return 0
	}
	return p.rare.retracts
}

// Retract is for acquires that shall no longer be counted.
func (p *Part) Retract(n int64) {
	if n != 0 {
		p.rarely().retracts = n
	}
}
