package engine

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// buildSwap writes the charge by compare-and-set on the record r that was seen, which is present and admits it.
func (c *bucketCharge) buildSwap(r *backend.Record) {
	tats := c.tats
	c.compareWith(r)
	c.addToArrivals(&tats)
	for i := range c.assumed.Rates {
		if c.need[i] > 0 {
			c.effects = append(c.effects,
				backend.Effect{Slot: schema.Tat(i), Op: backend.Set, Num: tats[i].At},
				backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(c.need[i])})
		}
	}
	c.addStamp()
	c.write(c.expiryAt(&tats))
}

// buildConversion writes the charge by compare-and-set on the record r, which has other limits: to, with the charge where the
// request is admitted. It reports whether it is.
func (c *bucketCharge) buildConversion(r *backend.Record, from *limitset.Set, to *limitset.Conversion, consume map[string]int64) (admitted bool) {
	c.assume(to.Set, consume)
	admitted = c.acquire || len(consume) > 0
	for i := range to.Set.Rates {
		rate := &to.Set.Rates[i]
		admitted = admitted && rate.Admits(to.Tats[i], rate.Y(c.now), c.need[i])
	}
	c.compareWith(r)
	if admitted {
		c.addToArrivals(&to.Tats)
	}
	c.addMoves(r, from, to, admitted)
	nonce, acquire := c.nonce, c.acquire
	if !admitted { // the nonce of an admission must not be left by anything else
		c.nonce, c.acquire = random(), false
	}
	c.addStamp()
	c.nonce, c.acquire = nonce, acquire
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Conv, Op: backend.Set, Num: backend.Int(to.At)})
	if from.Text != to.Set.Text {
		c.effects = append(c.effects, backend.Effect{Slot: schema.L, Op: backend.Set, Text: to.Set.Text})
	}
	c.write(c.expiryAt(&to.Tats))
	return admitted
}

// addStamp adds what every charge leaves in the record.
func (c *bucketCharge) addStamp() {
	now := backend.Int(c.now)
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now},
		backend.Effect{Slot: schema.Path, Op: backend.Set, Num: backend.Int(c.conf.version)})
	if !c.nonce.IsZero() {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.nonce})
	}
	if c.acquire {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: one})
	}
}

// compareWith begins a compare-and-set.
func (c *bucketCharge) compareWith(r *backend.Record) {
	c.form = form{}
	ver, _ := r.Num(schema.Ver)
	born, _ := r.Num(schema.Born)
	c.conds = append(c.conds[:0],
		backend.Cond{Slot: schema.Ver, Op: backend.Equal, A: ver},
		backend.Cond{Slot: schema.Born, Op: backend.Equal, A: born},
		backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.nonce})
	c.effects = c.effects[:0]
}

// addToArrivals adds the charge to the arrivals.
func (c *bucketCharge) addToArrivals(tats *limitset.Arrivals) {
	for i := range c.assumed.Rates {
		if c.need[i] > 0 {
			rate := &c.assumed.Rates[i]
			tats[i] = bucket.Arrival{At: rate.Base(tats[i], rate.Y(c.now)).Add(rate.Cost(c.need[i])), Seen: true}
		}
	}
}

// addMoves writes every limit's arrival and counter to its new position, and clears the positions behind them.
func (c *bucketCharge) addMoves(r *backend.Record, from *limitset.Set, to *limitset.Conversion, charged bool) {
	for i := range to.Set.Terms {
		var used backend.Num
		if to.Moved[i] >= 0 {
			used, _ = r.Num(schema.Used(to.Moved[i]))
		}
		if charged {
			used = used.Add(backend.Int(c.need[i]))
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

// expiryAt is the expiry of a record with these arrival times and the limits of c.assumed.
func (c *bucketCharge) expiryAt(tats *limitset.Arrivals) backend.Expiry {
	full := limitset.AddSaturated(c.now, c.assumed.Fill)
	for i := range c.assumed.Rates {
		if tats[i].Seen {
			full = max(full, c.assumed.Rates[i].FullAt(tats[i].At))
		}
	}
	return limitset.Expiry(c.now, full, c.of.hold)
}
