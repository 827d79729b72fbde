package reserve_test

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// caller is one who waits.
type caller struct {
	reserve.Waiter
	l        *line
	at       int64
	number   int64
	servedAt int64
	promised int64 // due time of its first slot, 0: none yet
	leaves   bool  // at some time before it is due
	done     bool
	plain    bool // does not wait
}

// acquire is an acquire that does not wait: it is admitted now, by all records of the path at once, or denied.
func (w *world) acquire(p *process) {
	l := p.lines[w.random.IntN(len(p.lines))]
	c := &caller{l: l, at: w.now, plain: true}
	c.Need = w.amounts(w.random)
	need := c.Need
	for _, s := range l.records {
		for i := range s.rates {
			if !s.rates[i].Admits(s.tats[i], s.rates[i].Y(w.now), need[i]) {
				return
			}
		}
		need = need[len(s.rates):]
	}
	need = c.Need
	for _, s := range l.records {
		for i := range s.rates {
			s.tats[i] = bucket.Arrival{At: s.rates[i].Base(s.tats[i], s.rates[i].Y(w.now)).Add(s.rates[i].Cost(need[i])), Seen: true}
		}
		s.ver++
		s.nonce = 0
		need = need[len(s.rates):]
	}
	w.charged += total(c.Need)
	w.kept += total(c.Need)
	w.served = append(w.served, service{c, w.now})
}

func (w *world) arrive(p *process) {
	if w.quiet {
		return
	}
	w.seq++
	l := p.lines[w.random.IntN(len(p.lines))]
	c := &caller{l: l, at: w.now, number: w.seq}
	c.Tag, c.Deadline = c, never
	c.Need = []int64{1}
	if w.amounts != nil {
		c.Need = w.amounts(w.random)
	}
	w.asked += c.Need[0]
	if w.deadline > 0 {
		c.Deadline = p.now() + w.deadline
		w.after(w.deadline, c.leave)
	}
	if w.patience > 0 {
		w.after(int64(w.random.ExpFloat64()*w.patience*1e9), c.leave)
	}
	c.leaves = w.random.Float64() < w.cancels
	step := l.Join(p.now(), &c.Waiter)
	l.do(step)
	if c.Verdict != reserve.Pending {
		c.end()
	}
	c.promise()
}

// leave ends a caller's context.
func (c *caller) leave() {
	if c.done || c.l.dead {
		return
	}
	w := c.l.p.w
	step := c.l.Leave(c.l.p.now(), &c.Waiter)
	if c.Verdict == reserve.Pending {
		c.done = true
		w.left++
		c.again()
	} else {
		c.end()
	}
	c.l.do(step)
}

// end is called with the verdict.
func (c *caller) end() {
	w := c.l.p.w
	c.done = true
	switch c.Verdict {
	case reserve.Admitted:
		w.admitted++
		w.tokens += c.Need[0]
		w.kept += total(c.Need)
		c.servedAt = w.now
		w.served = append(w.served, service{c, w.now})
		if c.promised > 0 && w.now > c.promised && w.checks {
			w.fail("caller %d was promised %v, and served %v later", c.number, c.promised, time.Duration(w.now-c.promised))
		}
		if n := int64(w.refunds * float64(c.Need[0])); n > 0 {
			w.after(2*sec, func() {
				w.writes++
				all := make([]int64, len(w.limits))
				all[0] = n
				c.l.records[0].refund(w, all, c.Born[0])
				w.kept -= n
			})
		}
	case reserve.Denied:
		w.denied++
		if c.Until <= c.Deadline {
			w.fail("denied until %d, with the deadline %d", c.Until, c.Deadline)
		}
	default:
		w.errors++
	}
	c.again()
}

func (c *caller) again() {
	if w := c.l.p.w; w.closed > 0 {
		w.after(ms/10, func() { w.arrive(c.l.p) })
	}
}

// promise notes what a caller has been promised, and lets it leave if it is to.
func (c *caller) promise() {
	w := c.l.p.w
	due, ok := c.SlotDue()
	if !ok || c.promised > 0 || c.done {
		return
	}
	c.promised = max(due-c.l.p.skew, w.now)
	if c.leaves {
		w.after(int64(w.random.Float64()*float64(c.promised-w.now)), c.leave)
	}
}
