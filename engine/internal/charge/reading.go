package charge

import (
	"context"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// drift is how far ahead of this clock a record's may be without being reported.
const drift = int64(10 * time.Second)

// Observed returns the limits and arrival times of the bucket by the record that the charge has seen. If the record does not
// have the limits that the charge requires, they are those after a conversion, which is then returned as to.
func (k *Charger) Observed(c *Charge) (_ *limitset.Set, _ *limitset.Arrivals, to *limitset.Conversion, err error) {
	if c.FromLastSeen {
		return c.Assumed, &c.Arrivals, nil, nil
	}
	r := c.Record()
	if c.Result == Applied && c.Assumed == c.Required {
		c.observe()
		return c.Assumed, &c.Arrivals, nil, nil
	}
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return nil, nil, nil, err
	}
	if set == nil {
		return c.Required, new(limitset.Arrivals), nil, nil
	}
	if set.Fits(c.Required, c.Stored) {
		tats := &c.Arrivals
		if set != c.Assumed { // c.Arrivals are by position in c.Assumed
			tats = new(limitset.Arrivals)
		}
		tats.Read(r, len(set.Terms))
		return set, tats, nil, nil
	}
	if to, err = k.convert(r, set, c.Required, c.Stored, c.Now); err != nil {
		return nil, nil, nil, err
	}
	return to.Set, &to.Tats, to, nil
}

// limitSetOfRecord is the limit set of a record's L, nil if there is no record.
func (k *Charger) limitSetOfRecord(c *Charge, r *backend.Record) (*limitset.Set, error) {
	packed, present := r.Text(schema.L)
	switch {
	case !present:
		return nil, nil
	case c.Assumed != nil && packed == c.Assumed.Text:
		return c.Assumed, nil
	}
	return k.LimitSets.Get(packed)
}

// reportLarge reports a bucket that costs more than one unit a write. It works all the same.
func (k *Charger) reportLarge(b *State, s *limitset.Set) {
	if !k.Watched || s == nil {
		return
	}
	if bytes := s.Weight(k.Key(b)); bytes > limitset.WriteUnit {
		k.Report(context.Background(), Report{Kind: LargeRecord, Bucket: b.ID, Bytes: bytes})
	}
}

// UseLastSeen makes the last seen record what the charge has seen, if it is fresh.
func (k *Charger) UseLastSeen(c *Charge) bool {
	c.State.lock.Lock()
	defer c.State.lock.Unlock()
	seen := &c.State.seen
	if seen.set != c.Assumed || !k.fresh(seen.at, c.Now) {
		return false
	}
	seen.read(&c.Arrivals)
	c.FromLastSeen = true
	return true
}

// UseRecord makes a record that was read what the charge has seen, and the last seen record of its bucket.
func (k *Charger) UseRecord(ctx context.Context, c *Charge, r *backend.Record) error {
	c.Record().CopyFrom(r)
	c.FromLastSeen = false
	set, err := k.limitSetOfRecord(c, c.Record())
	if err != nil {
		return err
	}
	c.remember(c.Record(), set, false)
	k.checkClock(ctx, c, c.Record())
	return nil
}

// AdmitsByRecord judges the request by what the charge has seen, and by the limits that the bucket has after a conversion.
func (k *Charger) AdmitsByRecord(c *Charge) (admitted bool, err error) {
	set, tats, _, err := k.Observed(c)
	if err != nil {
		return false, err
	}
	for j := range set.Rates {
		rate := &set.Rates[j]
		n, _ := c.requested(set, j)
		if !rate.Admits(tats[j], rate.Y(c.Now), n) {
			return false, nil
		}
	}
	return true, nil
}

// checkClock reports a record whose writer's clock is far ahead. The denial's text will tell it, too.
func (k *Charger) checkClock(ctx context.Context, c *Charge, r *backend.Record) {
	if ahead := r.Int64(schema.At) - c.Now; ahead > drift {
		c.Ahead = ahead
		k.Report(ctx, Report{Kind: ClockAhead, Bucket: c.State.ID, Now: c.Now, Ahead: time.Duration(ahead)})
	}
}

// ReportUnrefunded counts a charge of unknown outcome that is not refunded. If it was made, the tokens refill.
func (k *Charger) ReportUnrefunded(b *State, tokens map[string]int64) {
	k.Report(context.Background(), Report{Kind: RefundLost, Bucket: b.ID, Tokens: tokens, Err: backend.ErrOutcomeUnknown})
}
