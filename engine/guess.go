package engine

import (
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/int128"
)

var one = int128.FromInt64(1)

// guess writes the claim for the regimes in c.active: the whole gate in conditions, the whole charge in effects.
//
//	full    tat absent or ≤ y                 tat ← y + n·p
//	active  y+1 ≤ tat ≤ y + (C−n)·p           tat ← tat + n·p
//	n = 0   tat absent or ≤ y + C·p
func (c *claim) guess() {
	p := c.shape
	conds := append(c.conds[:0],
		backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: true, Text: p.text},
		backend.Cond{Slot: schema.Path, Op: backend.AtMost, OrAbsent: true, A: int128.FromInt64(c.conf.version)},
		backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.nonce})
	effects := c.effects[:0]
	for i := range p.rates {
		rate, n := &p.rates[i], c.need[i]
		y := rate.Y(c.now)
		tat := schema.Tat(i)
		if n == 0 {
			conds = append(conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: rate.Ceiling(y)})
			continue
		}
		cost := rate.Cost(n)
		if c.active>>i&1 == 0 {
			conds = append(conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: y})
			effects = append(effects, backend.Effect{Slot: tat, Op: backend.Set, Num: y.Add(cost)})
		} else {
			conds = append(conds, backend.Cond{Slot: tat, Op: backend.Between, A: y.Add(one), B: rate.Ceiling(y).Sub(cost)})
			effects = append(effects, backend.Effect{Slot: tat, Op: backend.Add, Num: cost})
		}
		effects = append(effects, backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: int128.FromInt64(n)})
	}
	c.conds, c.effects = conds, effects
	c.stamp()
	if c.active == 0 { // the record may be absent: this write then makes it
		c.effects = append(c.effects,
			backend.Effect{Slot: schema.L, Op: backend.Set, Text: p.text},
			backend.Effect{Slot: schema.Born, Op: backend.SetIfAbsent, Num: random()})
	}
	c.write(backend.Expiry(expiry(c.now, saturatedAdd(c.now, p.fill))))
}

// stamp adds what every charge leaves in the record.
func (c *claim) stamp() {
	now := int128.FromInt64(c.now)
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now},
		backend.Effect{Slot: schema.Path, Op: backend.Set, Num: int128.FromInt64(c.conf.version)},
		backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.nonce})
	if c.acquire {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: one})
	}
}

// write makes the conditions and effects a write to the claim's bucket.
func (c *claim) write(expiry backend.Expiry) {
	w := &c.writes[0]
	w.Key, w.Layout, w.Index, w.Expiry = c.h.key, schema.BucketLayout, &c.h.place, expiry
	w.Conds, w.Effects = c.conds, c.effects
}

// aim chooses the regimes by what is known of the bucket: the last view, or, where others write it too, what was so
// more often.
func (c *claim) aim() {
	c.h.lock.Lock()
	v := &c.h.view
	c.writes[0].Memo = c.h.memo
	c.active = 0
	if v.plan == c.shape {
		c.active = c.regimes(&v.record)
		if v.shared > 0 {
			c.active = 0
			for i := range c.shape.rates {
				if v.busy[i] >= 128 && c.mayBeActive(i) {
					c.active |= 1 << i
				}
			}
		}
	}
	c.h.lock.Unlock()
}

// regimes are those that hold on a record with the limits of shape, as far as they can be written: a request for all
// of the capacity fits a full bucket only.
func (c *claim) regimes(r *backend.Record) (active uint16) {
	for i := range c.shape.rates {
		rate := &c.shape.rates[i]
		if c.mayBeActive(i) && !rate.IsFull(arrival(r, i), rate.Y(c.now)) {
			active |= 1 << i
		}
	}
	return active
}

func (c *claim) mayBeActive(i int) bool {
	return c.need[i] > 0 && c.need[i] < c.shape.rates[i].Capacity()
}

// average takes in the regimes that held when the claim was written or refused.
func (v *view) average(c *claim, active uint16) {
	for i := range c.shape.rates {
		if !c.mayBeActive(i) {
			continue
		}
		if active>>i&1 == 1 {
			v.busy[i] += (255 - v.busy[i] + 7) / 8
		} else {
			v.busy[i] -= (v.busy[i] + 7) / 8
		}
	}
}

// random is a number of 126 bits: 38 digits hold it.
func random() backend.Num {
	return int128.FromParts(rand.Int64()>>1, rand.Uint64())
}
