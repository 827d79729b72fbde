package engine

import (
	"context"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// drift is how far ahead of this clock a record's may be without being reported.
const drift = int64(10 * time.Second)

// states returns the limits and arrival times of the bucket by the record that the charge has seen. If the record does not
// have the limits that the charge requires, they are those after a conversion, which is then returned as to.
func (k *charger) states(c *bucketCharge) (_ *limitset.Set, _ *limitset.Arrivals, to *limitset.Conversion, err error) {
	if c.fromLastSeen {
		return c.assumed, &c.tats, nil, nil
	}
	r := c.record()
	if c.result == applied && c.assumed == c.required {
		c.observe()
		return c.assumed, &c.tats, nil, nil
	}
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return nil, nil, nil, err
	}
	if set == nil {
		return c.required, new(limitset.Arrivals), nil, nil
	}
	if set.Fits(c.required, c.stored) {
		tats := &c.tats
		if set != c.assumed { // c.tats are by position in c.assumed
			tats = new(limitset.Arrivals)
		}
		tats.Read(r, len(set.Terms))
		return set, tats, nil, nil
	}
	if to, err = k.convert(r, set, c.required, c.stored, c.now); err != nil {
		return nil, nil, nil, err
	}
	return to.Set, &to.Tats, to, nil
}

// limitSetOfRecord is the limit set of a record's L, nil where there is no record.
func (k *charger) limitSetOfRecord(c *bucketCharge, r *backend.Record) (*limitset.Set, error) {
	packed, present := r.Text(schema.L)
	switch {
	case !present:
		return nil, nil
	case c.assumed != nil && packed == c.assumed.Text:
		return c.assumed, nil
	}
	return k.limitSets.Get(packed)
}

// reportLarge reports buckets that cost more than one unit a write. They work all the same.
func (k *charger) reportLarge(b *bucketState, s *limitset.Set) {
	if !k.Watched || s == nil {
		return
	}
	if bytes := s.Weight(k.key(b)); bytes > limitset.WriteUnit {
		k.Report(context.Background(), report{Kind: reportLarge, Bucket: b.id, Bytes: bytes})
	}
}

// useLastSeen takes the record from the last seen record, if it is fresh.
func (k *charger) useLastSeen(c *bucketCharge) bool {
	c.state.lock.Lock()
	defer c.state.lock.Unlock()
	seen := &c.state.seen
	if seen.set != c.assumed || !k.fresh(seen.at, c.now) {
		return false
	}
	seen.read(&c.tats)
	c.fromLastSeen = true
	return true
}

// take makes a record that was read what the charge has seen, and the last seen record.
func (k *charger) take(ctx context.Context, c *bucketCharge, r *backend.Record) error {
	c.record().CopyFrom(r)
	c.fromLastSeen = false
	set, err := k.limitSetOfRecord(c, c.record())
	if err != nil {
		return err
	}
	c.remember(c.record(), set, false)
	k.checkClock(ctx, c, c.record())
	return nil
}

// admitsByRecord judges the request by what the charge has seen, and by the limits that the bucket has after a conversion.
func (k *charger) admitsByRecord(c *bucketCharge) (admitted bool, err error) {
	set, tats, _, err := k.states(c)
	if err != nil {
		return false, err
	}
	for j := range set.Rates {
		rate := &set.Rates[j]
		n, _ := c.requested(set, j)
		if !rate.Admits(tats[j], rate.Y(c.now), n) {
			return false, nil
		}
	}
	return true, nil
}

// checkClock reports a record whose writer's clock is far ahead. The denial's text will tell it, too.
func (k *charger) checkClock(ctx context.Context, c *bucketCharge, r *backend.Record) {
	if ahead := r.Int64(schema.At) - c.now; ahead > drift {
		c.ahead = ahead
		k.Report(ctx, report{Kind: reportAhead, Bucket: c.state.id, Now: c.now, Ahead: time.Duration(ahead)})
	}
}

// reportUnrefunded counts a charge of unknown outcome that is not refunded. If it was made, the tokens refill.
func (k *charger) reportUnrefunded(b *bucketState, tokens map[string]int64) {
	k.Report(context.Background(), report{Kind: reportRefundLost, Bucket: b.id, Tokens: tokens, Err: backend.ErrOutcomeUnknown})
}
