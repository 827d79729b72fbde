package settle

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Part is what a lease holds of one bucket. Most buckets have one limit or two: those need no allocation.
type Part struct {
	state    *charge.State
	Required *limitset.Set // the limits that counted at the acquire
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
	retracts  int64
	writeBack bool          // a local bucket owes it: the bucket in the store is converted to the limits of which something is owed
	local     *limitset.Set // the limits of the bucket in the store, of which required is a share; nil: the part was charged to the store
}

func (p *Part) late() []string {
	if p.rare == nil {
		return nil
	}
	return p.rare.late
}

// owed is what a retired buyer has left, nil if the part is a lease's.
func (p *Part) owed() *pocket.Owed {
	if p.rare == nil {
		return nil
	}
	return p.rare.owed
}

// rarely makes room for what few parts have.
func (p *Part) rarely() *rare {
	if p.rare == nil {
		p.rare = new(rare)
	}
	return p.rare
}

// Configured are the limits of the bucket in the store that counted at the acquire.
func (p *Part) Configured() *limitset.Set {
	if p.rare != nil && p.rare.local != nil {
		return p.rare.local
	}
	return p.Required
}

// nonce is the one of the next charge without the token check.
func (p *Part) nonce() backend.Num {
	if u := p.unsure(); u != nil {
		return u.nonce
	}
	return charge.Random()
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

// Hold makes p what a lease holds by an applied charge.
func (p *Part) Hold(c *charge.Charge) {
	r := c.Record()
	p.state, p.Required = c.State, c.Required
	p.born, _ = r.Num(schema.Born)
	if c.FromLastSeen {
		p.born = c.Born
	}
	if n := len(c.Required.Terms); n > len(p.room) {
		p.rarely().rest = make([]amount, n-len(p.room))
	}
	if c.Configured != nil {
		p.rarely().local = c.Configured
	}
	for i := range c.Required.Terms {
		a, j := p.at(i), i
		if c.Assumed != c.Required {
			j = c.Assumed.Index(c.Required.Terms[i].Name)
		}
		if j < 0 { // a bucket judged by the limits in its record need not have those that nothing was asked of
			a.left = c.Required.Rates[i].Y(c.Now)
			continue
		}
		a.held, a.asked = c.Need[j], c.Need[j]
		left := c.Arrivals[j]
		if !c.FromLastSeen {
			left = limitset.ArrivalOf(r, j)
		}
		a.left = c.Required.Leaves(i, &c.Assumed.Rates[j], left, c.Now)
	}
}

// newPart makes a part of a bucket's life, that holds nothing yet.
func newPart(b *charge.State, required *limitset.Set, born backend.Num) *Part {
	p := &Part{state: b, Required: required, born: born}
	if n := len(required.Terms); n > len(p.room) {
		p.rarely().rest = make([]amount, n-len(p.room))
	}
	return p
}

// NewRefund returns a part of tokens, by position in limits, that were charged to a bucket's life and are to be refunded. The count of
// acquires decreases by acquired.
func NewRefund(b *charge.State, limits *limitset.Set, born backend.Num, tokens []int64, acquired int64) *Part {
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

// Size is how many amounts there are.
func (p *Part) Size() int { return len(p.Required.Terms) + len(p.late()) }

func (p *Part) at(i int) *amount {
	if i < len(p.room) {
		return &p.room[i]
	}
	return &p.rare.rest[i-len(p.room)]
}

// Name is that of the i-th limit.
func (p *Part) Name(i int) string {
	if n := len(p.Required.Terms); i >= n {
		return p.rare.late[i-n]
	}
	return p.Required.Terms[i].Name
}

// amount finds a limit by name, nil if the part has none of it.
func (p *Part) amount(name string) *amount {
	if i := p.Index(name); i >= 0 {
		return p.at(i)
	}
	return nil
}

// Index finds a limit by name, -1 if the part has none of it.
func (p *Part) Index(name string) int {
	if i := p.Required.Index(name); i >= 0 {
		return i
	}
	if i := slices.Index(p.late(), name); i >= 0 {
		return len(p.Required.Terms) + i
	}
	return -1
}

// add makes room for a limit that came later.
func (p *Part) add(name string) *amount {
	r := p.rarely()
	r.late = append(r.late, name)
	if n := p.Size(); n > len(p.room) {
		r.rest = append(r.rest, amount{})
	}
	return p.at(p.Size() - 1)
}

// begin notes that a charge was made to the life of the bucket that has the number born. What was charged to an earlier one is gone,
// and adjusting it has no effect.
func (p *Part) begin(born backend.Num) {
	if p.born == born {
		return
	}
	for i := range p.Size() {
		a := p.at(i)
		a.gone, a.void, a.held = a.gone+a.held, a.void+a.held, 0
	}
	p.born = born
}

// Trim limits what is pending to be refunded to what the lease holds: the rest has no effect.
func (p *Part) Trim() {
	for i := range p.Size() {
		if a := p.at(i); a.pending < -a.held {
			a.pending, a.void = -a.held, a.void+a.pending+a.held
		}
	}
}

// pending reports whether anything is to be written.
func (p *Part) pending() bool {
	if p.unsure() != nil || p.owed() != nil {
		return true
	}
	for i := range p.Size() {
		if p.at(i).pending != 0 {
			return true
		}
	}
	return false
}

// dueIn reports whether set has every limit for which something is due.
func (p *Part) dueIn(set *limitset.Set) bool {
	for i := range p.Size() {
		if p.due(i) != 0 && set.Index(p.Name(i)) < 0 {
			return false
		}
	}
	return true
}

// drop ends what is due of the i-th limit and has nowhere to go. What would have been refunded stays consumed, and
// what would have been charged may be adjusted without effect.
func (p *Part) drop(i int) {
	u, a := p.unsure(), p.at(i)
	switch {
	case u != nil:
		a.void += u.sent[p.Name(i)]
		delete(u.sent, p.Name(i))
		return
	case a.pending < 0:
		a.held, a.gone = a.held+a.pending, a.gone-a.pending
	default:
		a.void += a.pending
	}
	a.pending = 0
}

// holdNothing is Hold for a charge that was decided by reading the bucket: no tokens were charged.
func (p *Part) holdNothing(k *charge.Charger, c *charge.Charge) {
	all, tats, _, err := k.Observed(c)
	p.state, p.Required = c.State, c.Required
	p.born, _ = c.Record().Num(schema.Born)
	for i := range c.Required.Terms {
		if i >= len(p.room) {
			p.rarely().rest = append(p.rarely().rest, amount{})
		}
		if j := all.Index(c.Required.Terms[i].Name); err != nil || j < 0 {
			p.at(i).left = c.Required.Rates[i].Y(c.Now)
		} else {
			p.at(i).left = c.Required.Leaves(i, &all.Rates[j], tats[j], c.Now)
		}
	}
}
