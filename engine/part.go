package engine

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// part is what a lease holds of one bucket. Most buckets have one limit or two: those need no allocation.
type part struct {
	state    *bucketState
	required *limitset.Set // the limits that counted at the acquire
	born     backend.Num   // of the life of the record that was charged
	room     [2]amount     // of the first required limits
	rare     *rare         // nil: nothing of it
}

// rare is what few parts have.
type rare struct {
	rest   []amount     // all required limits, then those that came later, behind room
	late   []string     // the names of those that came later
	unsure *unsure      // nil: there is none
	owed   *pocket.Owed // what a retired buyer has left, or a local bucket owes; nil: the part is a lease's
	// retracts is by how much the refund also lowers the count of acquires: another bucket of their path has denied them.
	retracts int64
	local    *limitset.Set // the limits of the bucket in the store, of which required is a share; nil: the part was charged to the store
}

func (p *part) late() []string {
	if p.rare == nil {
		return nil
	}
	return p.rare.late
}

// owed is what a retired buyer has left, nil if the part is a lease's.
func (p *part) owed() *pocket.Owed {
	if p.rare == nil {
		return nil
	}
	return p.rare.owed
}

// rarely makes room for what few parts have.
func (p *part) rarely() *rare {
	if p.rare == nil {
		p.rare = new(rare)
	}
	return p.rare
}

// configured are the limits of the bucket in the store that counted at the acquire.
func (p *part) configured() *limitset.Set {
	if p.rare != nil && p.rare.local != nil {
		return p.rare.local
	}
	return p.required
}

// nonce is the one of the next charge without the token check.
func (p *part) nonce() backend.Num {
	if u := p.unsure(); u != nil {
		return u.nonce
	}
	return random()
}

// amount is what a lease holds of one limit, in tokens.
type amount struct {
	held    int64       // charged in the store
	pending int64       // adjusted, and not written yet; may be below −held by as much as void
	gone    int64       // charged, and not to be refunded any more: too late, or to a bucket that was reset or removed
	void    int64       // what may be adjusted downwards without effect: it was charged to a bucket that was reset or removed, or could not be
	asked   int64       // at the acquire
	left    backend.Num // arrival time right after the acquire, in units of the required limit's rate
}

// hold makes p what an applied charge leaves in a lease's hands.
func (p *part) hold(c *bucketCharge) {
	r := c.record()
	p.state, p.required = c.state, c.required
	p.born, _ = r.Num(schema.Born)
	if c.fromLastSeen {
		p.born = c.born
	}
	if n := len(c.required.Terms); n > len(p.room) {
		p.rarely().rest = make([]amount, n-len(p.room))
	}
	if c.configured != nil {
		p.rarely().local = c.configured
	}
	for i := range c.required.Terms {
		a, j := p.at(i), i
		if c.assumed != c.required {
			j = c.assumed.Index(c.required.Terms[i].Name)
		}
		if j < 0 { // a bucket judged by the limits in its record need not have those that nothing was asked of
			a.left = c.required.Rates[i].Y(c.now)
			continue
		}
		a.held, a.asked = c.need[j], c.need[j]
		left := c.tats[j]
		if !c.fromLastSeen {
			left = limitset.ArrivalOf(r, j)
		}
		a.left = c.required.Leaves(i, &c.assumed.Rates[j], left, c.now)
	}
}

// newPart makes a part of a bucket's life, that holds nothing yet.
func newPart(b *bucketState, required *limitset.Set, born backend.Num) *part {
	p := &part{state: b, required: required, born: born}
	if n := len(required.Terms); n > len(p.room) {
		p.rarely().rest = make([]amount, n-len(p.room))
	}
	return p
}

// newRefund makes a part of tokens, by position in limits, that were charged to a bucket's life and are to be refunded. They count as
// so many acquires no more.
func newRefund(b *bucketState, limits *limitset.Set, born backend.Num, tokens []int64, acquired int64) *part {
	p, used := newPart(b, limits, born), make(pocket.Tokens, len(tokens))
	for i, n := range tokens {
		used[i] = -n
		p.at(i).held, p.at(i).pending = n, -n
	}
	if acquired != 0 {
		p.rarely().owed = &pocket.Owed{Used: used, Acquired: -acquired, Born: born}
	}
	return p
}

// size is how many amounts there are.
func (p *part) size() int { return len(p.required.Terms) + len(p.late()) }

func (p *part) at(i int) *amount {
	if i < len(p.room) {
		return &p.room[i]
	}
	return &p.rare.rest[i-len(p.room)]
}

func (p *part) name(i int) string {
	if n := len(p.required.Terms); i >= n {
		return p.rare.late[i-n]
	}
	return p.required.Terms[i].Name
}

// amount finds a limit by name, nil where the part has none of it.
func (p *part) amount(name string) *amount {
	if i := p.index(name); i >= 0 {
		return p.at(i)
	}
	return nil
}

// index finds a limit by name, -1 where the part has none of it.
func (p *part) index(name string) int {
	if i := p.required.Index(name); i >= 0 {
		return i
	}
	if i := slices.Index(p.late(), name); i >= 0 {
		return len(p.required.Terms) + i
	}
	return -1
}

// add makes room for a limit that came later.
func (p *part) add(name string) *amount {
	r := p.rarely()
	r.late = append(r.late, name)
	if n := p.size(); n > len(p.room) {
		r.rest = append(r.rest, amount{})
	}
	return p.at(p.size() - 1)
}

// begin is for a charge to the life of the bucket that born tells. What was charged to an earlier one is gone, and
// adjusting it has no effect.
func (p *part) begin(born backend.Num) {
	if p.born == born {
		return
	}
	for i := range p.size() {
		a := p.at(i)
		a.gone, a.void, a.held = a.gone+a.held, a.void+a.held, 0
	}
	p.born = born
}

// trim leaves of what is pending to be refunded what the lease holds: the rest has no effect.
func (p *part) trim() {
	for i := range p.size() {
		if a := p.at(i); a.pending < -a.held {
			a.pending, a.void = -a.held, a.void+a.pending+a.held
		}
	}
}

// pending reports whether anything is to be written.
func (p *part) pending() bool {
	if p.unsure() != nil || p.owed() != nil {
		return true
	}
	for i := range p.size() {
		if p.at(i).pending != 0 {
			return true
		}
	}
	return false
}

// dueIn reports whether set has every limit for which something is due.
func (p *part) dueIn(set *limitset.Set) bool {
	for i := range p.size() {
		if p.due(i) != 0 && set.Index(p.name(i)) < 0 {
			return false
		}
	}
	return true
}

// drop ends what is due of the i-th limit and has nowhere to go. What would have been refunded stays consumed, and
// what would have been charged may be adjusted without effect.
func (p *part) drop(i int) {
	u, a := p.unsure(), p.at(i)
	switch {
	case u != nil:
		a.void += u.sent[p.name(i)]
		delete(u.sent, p.name(i))
		return
	case a.pending < 0:
		a.held, a.gone = a.held+a.pending, a.gone-a.pending
	default:
		a.void += a.pending
	}
	a.pending = 0
}

// holdNothing is hold for a charge that was decided by reading the bucket: no tokens were charged.
func (p *part) holdNothing(k *charger, c *bucketCharge) {
	all, tats, _, err := k.states(c)
	p.state, p.required = c.state, c.required
	p.born, _ = c.record().Num(schema.Born)
	for i := range c.required.Terms {
		if i >= len(p.room) {
			p.rarely().rest = append(p.rarely().rest, amount{})
		}
		if j := all.Index(c.required.Terms[i].Name); err != nil || j < 0 {
			p.at(i).left = c.required.Rates[i].Y(c.now)
		} else {
			p.at(i).left = c.required.Leaves(i, &all.Rates[j], tats[j], c.now)
		}
	}
}
