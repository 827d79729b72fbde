package engine

import (
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// merge adds what a further applied charge leaves. What was charged to an earlier life of the bucket is gone.
func (p *part) merge(c *bucketCharge) {
	var more part
	more.hold(c)
	p.begin(more.born)
	for i := range more.size() {
		a := p.amount(more.name(i))
		if a == nil {
			a = p.add(more.name(i))
		}
		a.held += more.at(i).held
	}
	p.trim() // what is left of an earlier life has no effect, also not on what is charged from now on
}

// since adapts a part that was charged at now to a lease whose acquire, at the time charged, asked for nothing of this
// bucket: the arrival times are moved back to that time.
func (p *part) since(charged, now int64) {
	for i := range p.required.Terms {
		a, rate := p.at(i), &p.required.Rates[i]
		a.asked, a.left = 0, a.left.Sub(rate.Y(now)).Add(rate.Y(charged))
	}
}

// refundAll makes all that is held pending to be refunded.
func (p *part) refundAll() {
	for i := range p.size() {
		a := p.at(i)
		a.pending, a.void = -a.held, 0
	}
	if u := p.unsure(); u != nil {
		u.unwanted = true
	}
}

// left is how much of the i-th limit the lease may still be adjusted downwards.
func (p *part) left(i int) int64 {
	a := p.at(i)
	return a.held + p.sent(i) + a.pending + a.void
}

// consumed is how much of the i-th limit was charged and not refunded, or is pending. Of a refund that is pending, what is above
// the tokens that the part holds has no effect. known is false if nothing was asked of the limit and nothing is consumed.
func (p *part) consumed(i int) (n int64, known bool) {
	a := p.at(i)
	n = a.held + a.gone + p.sent(i) + max(a.pending, -a.held-p.sent(i))
	return n, n != 0 || a.asked != 0
}

// adjust makes n tokens pending if the part has the limit: to be charged, or refunded if n is negative.
func (p *part) adjust(name string, n int64) {
	if a := p.amount(name); a != nil {
		a.pending += n
	}
}

// exceedsDebt reports whether n more tokens of the i-th limit would lead beyond the range of debt.
func (p *part) exceedsDebt(i int, n int64) bool {
	a := p.at(i)
	return n > bucket.MaxDebt || p.left(i)-a.void+n > bucket.MaxDebt || a.pending+n > bucket.MaxDebt
}

// limit is the i-th required limit as it was right after the acquire.
func (p *part) limit(i int) limitState {
	left := bucket.Arrival{At: p.at(i).left, Seen: true}
	return limitState{id: &p.state.id, set: p.required, arrival: left, requested: p.at(i).asked, i: uint8(i)}
}

// retracts is how many acquires shall no longer be counted.
func (p *part) retracts() int64 {
	if p.rare == nil {
		return 0
	}
	return p.rare.retracts
}

// retract is for acquires that shall no longer be counted.
func (p *part) retract(n int64) {
	if n != 0 {
		p.rarely().retracts = n
	}
}
