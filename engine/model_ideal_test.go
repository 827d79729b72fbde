package engine_test

import (
	"math/big"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// idealLimit is one limit of an ideal bucket, in exact fractions.
type idealLimit struct {
	engine.Limit
	brought bool
	used    int64
	full    *big.Rat // the instant at which it will be full, ns since the Unix epoch; nil: it is
}

func (d *idealLimit) same(o *idealLimit) bool { return d.Limit == o.Limit && d.brought == o.brought }

func ratOf(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

// lasts is how long n tokens take to refill, in ns.
func (d *idealLimit) lasts(n int64) *big.Rat {
	return ratOf(n).Mul(ratOf(n), big.NewRat(int64(d.RefillPeriod), d.RefillAmount))
}

// base is the later of now and the instant at which the limit will be full.
func (d *idealLimit) base(now int64) *big.Rat {
	if n := ratOf(now); d.full == nil || d.full.Cmp(n) <= 0 {
		return n
	}
	return d.full
}

// deficit is what is missing, in tokens.
func (d *idealLimit) deficit(now int64) *big.Rat {
	b := d.base(now)
	return new(big.Rat).Mul(new(big.Rat).Sub(b, ratOf(now)), big.NewRat(d.RefillAmount, int64(d.RefillPeriod)))
}

func (d *idealLimit) admits(now, n int64) bool {
	return new(big.Rat).Add(d.deficit(now), ratOf(n)).Cmp(ratOf(d.Capacity)) <= 0
}

func (d *idealLimit) available(now int64) int64 {
	return clip(new(big.Int).Sub(big.NewInt(d.Capacity), roundUp(d.deficit(now))))
}

// wait is how long until n tokens, no more than the capacity, are there.
func (d *idealLimit) wait(now, n int64) time.Duration {
	if d.admits(now, n) {
		return 0
	}
	at := new(big.Rat).Add(d.base(now), d.lasts(n-d.Capacity))
	return time.Duration(clip(roundUp(at.Sub(at, ratOf(now)))))
}

// fullAfter is how long until the limit is full.
func (d *idealLimit) fullAfter(now int64) time.Duration {
	at := new(big.Rat).Set(d.base(now))
	return time.Duration(clip(roundUp(at.Sub(at, ratOf(now)))))
}

func (d *idealLimit) take(now, n int64) {
	if n != 0 {
		d.full = new(big.Rat).Add(d.base(now), d.lasts(n))
		d.used += n
	}
}

func (d *idealLimit) give(now, n int64) {
	if d.full == nil {
		d.full = ratOf(now)
	}
	d.full = new(big.Rat).Sub(d.full, d.lasts(n))
	d.used -= n
}

// tooDeep tells whether a charge by force would lead beyond the range of debt.
func (d *idealLimit) tooDeep(now, n int64) bool {
	most := d.lasts(d.Capacity + bucket.MaxDebt)
	most.Add(most, ratOf(now+int64(10*time.Second)))
	return new(big.Rat).Add(d.base(now), d.lasts(n)).Cmp(most) > 0
}

// waitConverted is wait for a limit that will have the parameters of to when the request converts it, and not before.
func (d *idealLimit) waitConverted(to *idealLimit, now, n int64) time.Duration {
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
func (d *idealLimit) change(to *idealLimit, m int64) {
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

// idealBucket is an ideal bucket: its limits, and what happens to them when writers come with other limits than it has.
type idealBucket struct {
	there       bool
	life        int // counts from 1; what was charged to an earlier one cannot be refunded
	idealLimits []idealLimit
	conv        int64
	acq         int64
}

func find(idealLimits []idealLimit, name string) *idealLimit {
	if i := slices.IndexFunc(idealLimits, func(d idealLimit) bool { return d.Name == name }); i >= 0 {
		return &idealLimits[i]
	}
	return nil
}

// fits tells whether the bucket's limits will do for a writer who requires view and knows stored: all of view are there
// as they are, and the others are somebody else's, or stored.
func (p *idealBucket) fits(view, stored []idealLimit) bool {
	for i := range view {
		if has := find(p.idealLimits, view[i].Name); has == nil || !has.same(&view[i]) {
			return false
		}
	}
	return !slices.ContainsFunc(p.idealLimits, func(d idealLimit) bool {
		return !d.brought && find(view, d.Name) == nil && find(stored, d.Name) == nil
	})
}

// as gives the limits that the bucket has for such a writer: those that it has, if they will do; else those that a
// conversion at now would leave, and the instant of that.
func (p *idealBucket) as(view, stored []idealLimit, now int64) (idealLimits []idealLimit, converted bool, m int64) {
	switch {
	case !p.there:
		return slices.Clone(view), false, 0
	case p.fits(view, stored):
		return p.idealLimits, false, 0
	}
	m = max(now, p.conv)
	for i := range view {
		d := view[i]
		if has := find(p.idealLimits, d.Name); has == nil { // added: full as of m
			d.full = ratOf(m)
		} else {
			changed := *has
			changed.change(&d, m)
			d = changed
		}
		idealLimits = append(idealLimits, d)
	}
	for i := range p.idealLimits {
		has := p.idealLimits[i]
		if find(view, has.Name) != nil {
			continue
		}
		now := find(stored, has.Name)
		switch {
		case has.brought: // stays until it has been full for a minute
			if same := has; has.full == nil || has.full.Cmp(ratOf(m-int64(time.Minute))) > 0 {
				has.change(&same, m)
				idealLimits = append(idealLimits, has)
			}
		case now != nil:
			has.change(now, m)
			idealLimits = append(idealLimits, has)
		}
	}
	byName(idealLimits)
	return idealLimits, true, m
}

func byName(idealLimits []idealLimit) {
	slices.SortFunc(idealLimits, func(a, b idealLimit) int { return nameIndex(a.Name) - nameIndex(b.Name) })
}

// convert brings the bucket to what is stored.
func (p *idealBucket) convert(view, stored []idealLimit, now int64) {
	if idealLimits, converted, m := p.as(view, stored, now); p.there && converted {
		p.idealLimits, p.conv = idealLimits, m
	}
}

// charge is the gate.
func (p *idealBucket) charge(view, stored []idealLimit, need engine.Tokens, now int64, acquire bool) bool {
	idealLimits, converted, m := p.as(view, stored, now)
	admitted := true
	for i := range idealLimits {
		admitted = admitted && idealLimits[i].admits(now, wanted(view, need, idealLimits[i].Name))
	}
	if converted {
		p.idealLimits, p.conv = idealLimits, m
	}
	if !admitted {
		return false
	}
	if !p.there {
		p.create(idealLimits)
	}
	for i := range p.idealLimits {
		p.idealLimits[i].take(now, wanted(view, need, p.idealLimits[i].Name))
	}
	if acquire {
		p.acq++
	}
	return true
}

func wanted(view []idealLimit, need engine.Tokens, name string) int64 {
	if find(view, name) == nil {
		return 0
	}
	return need[name]
}

func (p *idealBucket) create(idealLimits []idealLimit) {
	p.there, p.life, p.conv, p.acq = true, p.life+1, 0, 0
	p.idealLimits = slices.Clone(idealLimits)
	for i := range p.idealLimits {
		p.idealLimits[i].full, p.idealLimits[i].used = nil, 0
	}
}

func (p *idealBucket) remove() { *p = idealBucket{life: p.life} }

func (p *idealBucket) reset() {
	if p.there {
		p.life, p.conv = p.life+1, 0
		for i := range p.idealLimits {
			p.idealLimits[i].full = nil
		}
	}
}
