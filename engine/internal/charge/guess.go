package charge

import (
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

var one = backend.Int(1)

// form is what decides which conditions and effects a guess has; the numbers in them change from write to write.
type form struct {
	assumed    *limitset.Set
	asks       uint16 // by position: tokens are asked for
	active     uint16 // by position: the regime guessed is active
	creates    bool
	acquire    bool
	nonce      bool
	writesPath bool // the version of the entity has to be written
	noRegimes  bool // the store takes the greater of two numbers: no regimes
}

// Fixed positions in a guess. Each limit has the condition firstTat + its position; the limits asked for have two
// effects each from firstCharge on: arrival and counter. Born comes last.
const (
	condL = iota
	condPath
	firstTat

	effectVer   = 0
	effectAt    = 1
	firstCharge = 2
)

// buildGuess builds the write of the charge for the regimes in c.active: the conditions are the whole token check, and the
// effects are the whole charge. Here tat is the arrival time of a limit, y is now in units, n is how many tokens are asked
// for, p is the cost of one token in units, and C is the capacity.
//
//	full    tat absent or ≤ y                 tat ← y + n·p
//	active  y+1 ≤ tat ≤ y + (C−n)·p           tat ← tat + n·p
//	n = 0   tat absent or ≤ y + C·p
//
// On a store that knows the greater of two numbers both regimes are one:
//
//	tat absent or ≤ y + (C−n)·p       tat ← max(tat, y) + n·p
func (c *Charge) buildGuess() {
	switch {
	case c.shared != nil:
		c.buildShared()
		return
	case c.Reserved != nil:
		c.buildReserved()
		return
	}
	f := form{assumed: c.Assumed, asks: c.Asks, active: c.active, creates: c.Creates, acquire: c.Acquire, nonce: !c.Nonce.IsZero(), writesPath: c.writesPath, noRegimes: c.noRegimes}
	if f != c.form { // most writes have the form of the one before
		c.layOut(f)
	}
	now, version := backend.Int(c.Now), backend.Int(c.Config.version)
	c.conds[condPath].A = version
	c.effects[effectVer].Base, c.effects[effectAt].Num = now.Sub(one), now
	next := firstCharge
	for i := range c.Assumed.Rates {
		cond, y, most := &c.conds[firstTat+i], c.ys[i], c.most[i]
		if c.Asks>>i&1 == 0 {
			cond.A = most
			continue
		}
		effect, used := &c.effects[next], &c.effects[next+1]
		switch cost := c.costs[i]; {
		case f.noRegimes:
			cond.A, effect.Num, effect.Base = most, cost, y
		case c.active>>i&1 == 0:
			cond.A, effect.Num = y, y.Add(cost)
		default:
			cond.A, cond.B, effect.Num = y.Add(one), most, cost
		}
		used.Num = backend.Int(c.Need[i])
		next += 2
	}
	if f.writesPath {
		c.effects[next].Num = version
		next++
	}
	if f.nonce {
		c.conds[len(c.conds)-1].A, c.effects[next].Num = c.Nonce, c.Nonce
	}
	if f.creates {
		c.effects[len(c.effects)-1].Num = Random()
	}
	c.write(limitset.Expiry(c.Now, limitset.AddSaturated(c.Now, c.Assumed.Fill), c.attempt.charger.MaxHold))
	if f.creates {
		c.mayCreate()
	}
}

// layOut puts the conditions and effects of a form in place, all but their numbers.
func (c *Charge) layOut(f form) {
	c.form = f
	conds := append(c.conds[:0],
		backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: f.creates, Text: f.assumed.Text},
		backend.Cond{Slot: schema.Path, Op: backend.AtMost, OrAbsent: true})
	effects := append(c.effects[:0],
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one},
		backend.Effect{Slot: schema.At, Op: backend.Set})
	for i := range f.assumed.Rates {
		cond, effect := backend.Cond{Slot: schema.Tat(i), Op: backend.AtMost, OrAbsent: true}, backend.Effect{Slot: schema.Tat(i), Op: backend.Set}
		if f.asks>>i&1 == 1 {
			switch {
			case f.noRegimes:
				effect.Op = backend.AddFrom
			case f.active>>i&1 == 1:
				cond.Op, cond.OrAbsent, effect.Op = backend.Between, false, backend.Add
			}
			effects = append(effects, effect, backend.Effect{Slot: schema.Used(i), Op: backend.Add})
		}
		conds = append(conds, cond)
	}
	if f.writesPath {
		effects = append(effects, backend.Effect{Slot: schema.Path, Op: backend.Set})
	}
	if f.nonce {
		conds = append(conds, backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual})
		effects = append(effects, backend.Effect{Slot: schema.Nonce, Op: backend.Set})
	}
	if f.acquire {
		effects = append(effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: one})
	}
	if f.creates { // the record may be absent: this write then makes it
		effects = append(effects,
			backend.Effect{Slot: schema.L, Op: backend.Set, Text: f.assumed.Text},
			backend.Effect{Slot: schema.Born, Op: backend.SetIfAbsent})
	}
	c.conds, c.effects = conds, effects
}

// write makes the conditions and effects a write to the charge's bucket.
func (c *Charge) write(expiry backend.Expiry) {
	w := &c.writes[0]
	w.Conds, w.Effects, w.Expiry = c.conds, c.effects, expiry
	if w.Index != nil {
		w.Index = nil
	}
}

// addCreation adds what a write sets that may create the record.
func (c *Charge) addCreation() {
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.L, Op: backend.Set, Text: c.Assumed.Text},
		backend.Effect{Slot: schema.Born, Op: backend.SetIfAbsent, Num: Random()})
}

// mayCreate makes the write one that may create the record.
func (c *Charge) mayCreate() {
	c.place = schema.PlaceOf(c.writes[0].Key)
	c.writes[0].Index = &c.place
}

// guessRegimes guesses the regimes: those that the last seen record shows, or, if others write the bucket, too, those that
// are likely because they held more often.
func (c *Charge) guessRegimes(shared bool, likely uint16) {
	if !shared {
		c.active = c.regimes()
		return
	}
	for i := range c.Assumed.Rates {
		if likely>>i&1 == 1 && c.mayBeActive(i) {
			c.active |= 1 << i
		}
	}
}

// regimes are those that hold for what the charge has seen, as far as they can be written: a request for all of the
// capacity fits a full bucket only.
func (c *Charge) regimes() (active uint16) {
	for i := range c.Assumed.Rates {
		if c.mayBeActive(i) && !c.Assumed.Rates[i].IsFull(c.Arrivals[i], c.ys[i]) {
			active |= 1 << i
		}
	}
	return active
}

func (c *Charge) mayBeActive(i int) bool {
	return c.Need[i] > 0 && c.Need[i] < c.Assumed.Rates[i].Capacity()
}

// Random is a number of 63 bits that is not 0.
func Random() backend.Num {
	return backend.Int(rand.Int64() | 1)
}

func later(a, b backend.Num) backend.Num {
	if a.Less(b) {
		return b
	}
	return a
}
