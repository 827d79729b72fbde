package engine

import (
	"math"
	"time"
)

// repeat is a denial that the handle's view has shown, ready to be given again, while nothing but time has moved since:
// until then, waits become shorter and nothing else changes. Immutable.
type repeat struct {
	plan        *plan
	from, until int64         // ns since the Unix epoch: it holds at from ≤ now < until
	all         []LimitStatus // at from
	wait        time.Duration
}

// worthRepeating is for how long a denial must hold to be kept: making it ready costs as much as a denial.
const worthRepeating = int64(100 * time.Microsecond)

// answers reports whether the denial is that of these tokens now.
func (d *repeat) answers(p *plan, now int64, consume Tokens) bool {
	if d.plan != p || now < d.from || now >= d.until {
		return false
	}
	known := 0
	for i := range d.all {
		n, asked := consume[d.all[i].Limit.Name]
		if n != d.all[i].Requested {
			return false
		}
		if asked {
			known++
		}
	}
	return known == len(consume)
}

// repeated is the op's repeat as it is now, in memory that is the caller's.
func (o *op) repeated() (all []LimitStatus, wait time.Duration) {
	d, passed := o.repeat, time.Duration(o.now-o.repeat.from)
	all = o.room(len(d.all))
	copy(all, d.all)
	for i := range all {
		if all[i].Exceeded {
			all[i].RetryAfter -= passed
		}
	}
	return all, d.wait - passed
}

// manyStatuses are allocated at once, which costs a denial a quarter of what its own would: one that is kept keeps the
// memory of the others.
const manyStatuses = 16

// room is memory for n statuses that nobody else has.
func (o *op) room(n int) []LimitStatus {
	if len(o.spare) < n {
		o.spare = make([]LimitStatus, max(n, manyStatuses))
	}
	some := o.spare[:n:n]
	o.spare = o.spare[n:]
	return some
}

// keep makes the denial of a single claim ready to be given again, the second time that the same view has shown it.
func (l *Limiter) keep(c *claim, all []LimitStatus, wait time.Duration) {
	until := c.now
	if c.recalled {
		until = min(until, c.seen)
	}
	until += int64(l.opts.DenialTTL)
	for i := range all {
		rate, a := &c.shape.rates[i], c.tats[i]
		if all[i].Available < rate.Capacity() { // one more becomes available
			more, _ := rate.Wait(a, c.now, all[i].Available+1)
			until = min(until, saturatedAdd(c.now, more))
		}
	}
	if until-c.now < worthRepeating || wait == math.MaxInt64 || expired(c.record().Expiry(), until) {
		return
	}
	d := &repeat{plan: c.shape, from: c.now, until: until, wait: wait}
	d.all = append(d.all, all...)
	c.h.keep(c.turn, d)
}
