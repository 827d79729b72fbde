package charge

import (
	"context"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// meeting is a caller at a desk. What follows the caller is written before done is sent to.
type meeting struct {
	pocket.Caller
	done  chan struct{}     // has room for one
	tats  limitset.Arrivals // as the caller's own place in the order shows them
	tries int
	nonce backend.Num // of the write that failed
	err   error       // of the write that failed
	maybe bool        // that write may have been applied
}

// meeting returns the charge's place at a desk.
func (c *Charge) meeting(d *Desk) *meeting {
	if c.met == nil {
		c.met = &meeting{done: make(chan struct{}, 1)}
		c.met.Tag = c.met
	}
	m := c.met
	m.Need = append(m.Need[:0], c.Need[:len(d.terms.Assumed.Rates)]...)
	m.Within, m.tries = !c.Acquire, 0
	return m
}

// wait waits for the verdict. It returns false if ctx ends first: the caller has then left, and what its write takes is
// refunded.
func (d *Desk) wait(ctx context.Context, m *meeting) bool {
	select {
	case <-m.done:
		return true
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.Verdict != pocket.Pending {
		<-m.done
		return true
	}
	d.buyer.Leave(d.k.Now(), &m.Caller)
	d.actLocked(pocket.Step{}, nil)
	return false
}

// decide makes the verdict that of the charge.
func (m *meeting) decide(c *Charge) error {
	c.Tries = m.tries
	switch m.Verdict {
	case pocket.Admitted:
		c.Result = Applied
	case pocket.Denied:
		c.Result = Denied
	case pocket.Failed:
		c.Nonce, c.Unsure = m.nonce, m.maybe
		return m.err
	case pocket.Contended:
		return store.ErrContention
	case pocket.Closed:
		return store.ErrClosed
	default:
		return ErrRestart
	}
	c.useArrivals(&m.tats, m.Born)
	if m.Verdict == pocket.Denied {
		c.setPause(m.Until)
	}
	return nil
}

// useArrivals makes arrival times that are known without a record what the charge has seen.
func (c *Charge) useArrivals(tats *limitset.Arrivals, born backend.Num) {
	c.Arrivals, c.Born, c.FromLastSeen = *tats, born, true
}

// setPause makes the request wait until then, although the tokens that it has seen may be there before: they are scarce, and
// who asked sooner would not get them.
func (c *Charge) setPause(until int64) {
	c.Pause = 0
	for i := range c.Assumed.Rates {
		if wait, _ := c.Assumed.Rates[i].Wait(c.Arrivals[i], c.Now, c.Need[i]); c.Now+int64(wait) >= until {
			return
		}
	}
	c.Pause = time.Duration(until - c.Now)
}

// fillLocked fills in what a caller needs besides its verdict.
func (d *Desk) fillLocked(m *meeting, failed *failure) {
	switch m.Verdict {
	case pocket.Failed:
		m.err, m.maybe, m.nonce = failed.err, failed.maybe, failed.nonce
	case pocket.Admitted, pocket.Denied:
		for i := range d.terms.Assumed.Rates {
			m.tats[i] = d.arrival(m, i)
		}
	}
}

// arrival is the arrival time of limit i at the caller's place in the order: what its write has charged for those behind it
// counts as not yet charged, and so does what is in the pocket.
func (d *Desk) arrival(m *meeting, i int) bucket.Arrival {
	a, left := d.buyer.Arrival(i), d.buyer.Pocket(i)
	if m.Verdict == pocket.Admitted && len(m.Behind) > 0 {
		left = m.Behind[i]
	}
	if left > 0 && a.Seen {
		a.At = a.At.Sub(d.terms.Assumed.Rates[i].Cost(left))
	}
	return a
}
