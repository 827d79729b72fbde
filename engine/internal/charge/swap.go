package charge

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// buildSwap writes the charge by compare-and-set on the record r that was seen, which is present and admits it.
func (c *Charge) buildSwap(r *backend.Record) {
	tats := c.Arrivals
	c.compareWith(r)
	c.addToArrivals(&tats)
	for i := range c.Assumed.Rates {
		if c.Need[i] > 0 {
			c.effects = append(c.effects,
				backend.Effect{Slot: schema.Tat(i), Op: backend.Set, Num: tats[i].At},
				backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(c.Need[i])})
		}
	}
	c.addStamp()
	c.write(c.expiryAt(&tats))
}

// buildConversion writes the charge by compare-and-set on the record r, which has other limits: to, with the charge where the
// request is admitted. It reports whether it is.
func (c *Charge) buildConversion(r *backend.Record, from *limitset.Set, to *limitset.Conversion, consume map[string]int64) (admitted bool) {
	c.assume(to.Set, consume)
	admitted = c.Acquire || len(consume) > 0
	for i := range to.Set.Rates {
		rate := &to.Set.Rates[i]
		admitted = admitted && rate.Admits(to.Tats[i], rate.Y(c.Now), c.Need[i])
	}
	c.compareWith(r)
	if admitted {
		c.addToArrivals(&to.Tats)
	}
	c.addMoves(r, from, to, admitted)
	nonce, acquire := c.Nonce, c.Acquire
	if !admitted { // the nonce of an admission must not be left by anything else
		c.Nonce, c.Acquire = Random(), false
	}
	c.addStamp()
	c.Nonce, c.Acquire = nonce, acquire
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Conv, Op: backend.Set, Num: backend.Int(to.At)})
	if from.Text != to.Set.Text {
		c.effects = append(c.effects, backend.Effect{Slot: schema.L, Op: backend.Set, Text: to.Set.Text})
	}
	c.write(c.expiryAt(&to.Tats))
	return admitted
}

// addStamp adds what every charge leaves in the record.
func (c *Charge) addStamp() {
	now := backend.Int(c.Now)
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now},
		backend.Effect{Slot: schema.Path, Op: backend.Set, Num: backend.Int(c.Config.version)})
	if !c.Nonce.IsZero() {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.Nonce})
	}
	if c.Acquire {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: one})
	}
}

// compareWith begins a compare-and-set.
func (c *Charge) compareWith(r *backend.Record) {
	c.form = form{}
	ver, _ := r.Num(schema.Ver)
	born, _ := r.Num(schema.Born)
	c.conds = append(c.conds[:0],
		backend.Cond{Slot: schema.Ver, Op: backend.Equal, A: ver},
		backend.Cond{Slot: schema.Born, Op: backend.Equal, A: born},
		backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.Nonce})
	c.effects = c.effects[:0]
}

// addToArrivals adds the charge to the arrivals.
func (c *Charge) addToArrivals(tats *limitset.Arrivals) {
	for i := range c.Assumed.Rates {
		if c.Need[i] > 0 {
			rate := &c.Assumed.Rates[i]
			tats[i] = bucket.Arrival{At: rate.Base(tats[i], rate.Y(c.Now)).Add(rate.Cost(c.Need[i])), Seen: true}
		}
	}
}

// addMoves writes every limit's arrival and counter to its new position, and clears the positions behind them.
func (c *Charge) addMoves(r *backend.Record, from *limitset.Set, to *limitset.Conversion, charged bool) {
	for i := range to.Set.Terms {
		var used backend.Num
		if to.Moved[i] >= 0 {
			used, _ = r.Num(schema.Used(to.Moved[i]))
		}
		if charged {
			used = used.Add(backend.Int(c.Need[i]))
		}
		c.effects = append(c.effects,
			backend.Effect{Slot: schema.Tat(i), Op: backend.Set, Num: to.Tats[i].At},
			backend.Effect{Slot: schema.Used(i), Op: backend.Set, Num: used})
	}
	for i := len(to.Set.Terms); i < len(from.Terms); i++ {
		c.effects = append(c.effects,
			backend.Effect{Slot: schema.Tat(i), Op: backend.Unset},
			backend.Effect{Slot: schema.Used(i), Op: backend.Unset})
	}
}

// expiryAt is the expiry of a record with these arrival times and the limits of c.Assumed.
func (c *Charge) expiryAt(tats *limitset.Arrivals) backend.Expiry {
	full := limitset.AddSaturated(c.Now, c.Assumed.Fill)
	for i := range c.Assumed.Rates {
		if tats[i].Seen {
			full = max(full, c.Assumed.Rates[i].FullAt(tats[i].At))
		}
	}
	return limitset.Expiry(c.Now, full, c.attempt.charger.MaxHold)
}
