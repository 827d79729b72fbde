package engine_test

import (
	"math/big"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// drip is one limit of an ideal bucket, in exact fractions.
type drip struct {
	engine.Limit
	brought bool
	used    int64
	full    *big.Rat // the instant at which it will be full, ns since the Unix epoch; nil: it is
}

func (d *drip) same(o *drip) bool { return d.Limit == o.Limit && d.brought == o.brought }

func ratOf(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

// lasts is how long n tokens take to refill, in ns.
func (d *drip) lasts(n int64) *big.Rat {
	return ratOf(n).Mul(ratOf(n), big.NewRat(int64(d.RefillPeriod), d.RefillAmount))
}

// base is the later of now and the instant at which the limit will be full.
func (d *drip) base(now int64) *big.Rat {
	if n := ratOf(now); d.full == nil || d.full.Cmp(n) <= 0 {
		return n
	}
	return d.full
}

// deficit is what is missing, in tokens.
func (d *drip) deficit(now int64) *big.Rat {
	b := d.base(now)
	return new(big.Rat).Mul(new(big.Rat).Sub(b, ratOf(now)), big.NewRat(d.RefillAmount, int64(d.RefillPeriod)))
}

func (d *drip) admits(now, n int64) bool {
	return new(big.Rat).Add(d.deficit(now), ratOf(n)).Cmp(ratOf(d.Capacity)) <= 0
}

func (d *drip) available(now int64) int64 {
	return clip(new(big.Int).Sub(big.NewInt(d.Capacity), roundUp(d.deficit(now))))
}

// wait is how long until n tokens, no more than the capacity, are there.
func (d *drip) wait(now, n int64) time.Duration {
	if d.admits(now, n) {
		return 0
	}
	at := new(big.Rat).Add(d.base(now), d.lasts(n-d.Capacity))
	return time.Duration(clip(roundUp(at.Sub(at, ratOf(now)))))
}

// fullAfter is how long until the limit is full.
func (d *drip) fullAfter(now int64) time.Duration {
	at := new(big.Rat).Set(d.base(now))
	return time.Duration(clip(roundUp(at.Sub(at, ratOf(now)))))
}

func (d *drip) take(now, n int64) {
	if n != 0 {
		d.full = new(big.Rat).Add(d.base(now), d.lasts(n))
		d.used += n
	}
}

func (d *drip) give(now, n int64) {
	if d.full == nil {
		d.full = ratOf(now)
	}
	d.full = new(big.Rat).Sub(d.full, d.lasts(n))
	d.used -= n
}

// tooDeep tells whether a charge by force would lead beyond the range of debt.
func (d *drip) tooDeep(now, n int64) bool {
	most := d.lasts(d.Capacity + bucket.MaxDebt)
	most.Add(most, ratOf(now+int64(10*time.Second)))
	return new(big.Rat).Add(d.base(now), d.lasts(n)).Cmp(most) > 0
}

// waitConverted is wait for a limit that will have the parameters of to when the request converts it, and not before.
func (d *drip) waitConverted(to *drip, now, n int64) time.Duration {
	most := ratOf(to.Capacity - n)
	if n == 0 && !d.brought && !to.brought && d.Limit != to.Limit {
		slack := new(big.Rat).Quo(ratOf(int64(10*time.Second)), d.lasts(1))
		if debt := slack.Add(slack, ratOf(d.Capacity)); debt.Cmp(most) > 0 {
			most = debt
		}
	}
	most.Mul(most, d.lasts(1))
	at := new(big.Rat).Sub(d.base(now), most)
	return time.Duration(max(0, clip(roundUp(at.Sub(at, ratOf(now))))))
}

// change makes d, as it is at m, a limit with the parameters of to: what is missing is kept, rounded up by less than a
// unit, and cut to the new capacity where both are stored and it was no debt.
func (d *drip) change(to *drip, m int64) {
	cut := !d.brought && !to.brought && d.Limit != to.Limit
	missing := d.deficit(m)
	slack := new(big.Rat).Quo(ratOf(int64(10*time.Second)), d.lasts(1))
	debt := missing.Cmp(slack.Add(slack, ratOf(d.Capacity))) > 0
	units := new(big.Rat).Denom() // of a token
	units.Set(big.NewRat(to.RefillAmount, int64(to.RefillPeriod)).Denom())
	kept := new(big.Rat).SetFrac(roundUp(missing.Mul(missing, new(big.Rat).SetInt(units))), units)
	if most := ratOf(to.Capacity); cut && !debt && kept.Cmp(most) > 0 {
		kept = most
	}
	if most := ratOf(to.Capacity + bucket.MaxDebt); kept.Cmp(most) > 0 {
		kept = most
	}
	d.Limit, d.brought = to.Limit, to.brought
	d.full = kept.Mul(kept, d.lasts(1)).Add(kept, ratOf(m))
}

func roundUp(x *big.Rat) *big.Int {
	q, rest := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int)) // rounds down
	if rest.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func clip(x *big.Int) int64 {
	switch {
	case x.IsInt64():
		return x.Int64()
	case x.Sign() < 0:
		return -1 << 63
	}
	return 1<<63 - 1
}

// pail is an ideal bucket: some drips, and what happens to them when writers come with other limits than it has.
type pail struct {
	there bool
	life  int // counts from 1; what was charged to an earlier one cannot be refunded
	drips []drip
	conv  int64
	acq   int64
}

func find(drips []drip, name string) *drip {
	if i := slices.IndexFunc(drips, func(d drip) bool { return d.Name == name }); i >= 0 {
		return &drips[i]
	}
	return nil
}

// fits tells whether the bucket's limits will do for a writer who requires view and knows stored: all of view are there
// as they are, and the others are somebody else's, or stored.
func (p *pail) fits(view, stored []drip) bool {
	for i := range view {
		if has := find(p.drips, view[i].Name); has == nil || !has.same(&view[i]) {
			return false
		}
	}
	return !slices.ContainsFunc(p.drips, func(d drip) bool {
		return !d.brought && find(view, d.Name) == nil && find(stored, d.Name) == nil
	})
}

// as gives the limits that the bucket has for such a writer: those that it has, if they will do; else those that a
// conversion at now would leave, and the instant of that.
func (p *pail) as(view, stored []drip, now int64) (drips []drip, converted bool, m int64) {
	switch {
	case !p.there:
		return slices.Clone(view), false, 0
	case p.fits(view, stored):
		return p.drips, false, 0
	}
	m = max(now, p.conv)
	for i := range view {
		d := view[i]
		if has := find(p.drips, d.Name); has == nil { // added: full as of m
			d.full = ratOf(m)
		} else {
			changed := *has
			changed.change(&d, m)
			d = changed
		}
		drips = append(drips, d)
	}
	for i := range p.drips {
		has := p.drips[i]
		if find(view, has.Name) != nil {
			continue
		}
		now := find(stored, has.Name)
		switch {
		case has.brought: // stays until it has been full for a minute
			if same := has; has.full == nil || has.full.Cmp(ratOf(m-int64(time.Minute))) > 0 {
				has.change(&same, m)
				drips = append(drips, has)
			}
		case now != nil:
			has.change(now, m)
			drips = append(drips, has)
		}
	}
	byName(drips)
	return drips, true, m
}

func byName(drips []drip) {
	slices.SortFunc(drips, func(a, b drip) int { return nameIndex(a.Name) - nameIndex(b.Name) })
}

// convert brings the bucket to what is stored.
func (p *pail) convert(view, stored []drip, now int64) {
	if drips, converted, m := p.as(view, stored, now); p.there && converted {
		p.drips, p.conv = drips, m
	}
}

// charge is the gate.
func (p *pail) charge(view, stored []drip, need engine.Tokens, now int64, acquire bool) bool {
	drips, converted, m := p.as(view, stored, now)
	admitted := true
	for i := range drips {
		admitted = admitted && drips[i].admits(now, wanted(view, need, drips[i].Name))
	}
	if converted {
		p.drips, p.conv = drips, m
	}
	if !admitted {
		return false
	}
	if !p.there {
		p.create(drips)
	}
	for i := range p.drips {
		p.drips[i].take(now, wanted(view, need, p.drips[i].Name))
	}
	if acquire {
		p.acq++
	}
	return true
}

func wanted(view []drip, need engine.Tokens, name string) int64 {
	if find(view, name) == nil {
		return 0
	}
	return need[name]
}

func (p *pail) create(drips []drip) {
	p.there, p.life, p.conv, p.acq = true, p.life+1, 0, 0
	p.drips = slices.Clone(drips)
	for i := range p.drips {
		p.drips[i].full, p.drips[i].used = nil, 0
	}
}

func (p *pail) remove() { *p = pail{life: p.life} }

func (p *pail) reset() {
	if p.there {
		p.life, p.conv = p.life+1, 0
		for i := range p.drips {
			p.drips[i].full = nil
		}
	}
}
