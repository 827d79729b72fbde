package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
)

// readUnseen fills in the records of charges whose state is not known: by reading them, or, with recall, from fresh last seen records.
func (l *Limiter) readUnseen(ctx context.Context, a *attempt, recall bool) error {
	var keys []backend.Key
	var unseen []*bucketCharge
	for i := range a.n {
		c := &a.charges[i]
		if c.result == pending && !(recall && l.useLastSeen(c)) {
			keys, unseen = append(keys, l.key(c.state)), append(unseen, c)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	out, err := l.store.Read(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range unseen {
		c.outs[0].Record.CopyFrom(&out[i])
		c.fromLastSeen = false
		if err := l.rememberRead(c); err != nil {
			return err
		}
		l.checkClock(ctx, c, c.record())
	}
	return nil
}

// useLastSeen takes the record from the last seen record, if it is fresh.
func (l *Limiter) useLastSeen(c *bucketCharge) bool {
	c.state.lock.Lock()
	defer c.state.lock.Unlock()
	seen := &c.state.seen
	if seen.set != c.assumed || !l.fresh(seen.at, c.now) {
		return false
	}
	seen.read(&c.tats)
	c.fromLastSeen = true
	return true
}

// rememberRead takes the record that was read into the last seen record.
func (l *Limiter) rememberRead(c *bucketCharge) error {
	set, err := l.limitSetOfRecord(c, c.record())
	if err != nil {
		return err
	}
	c.remember(c.record(), set, false)
	return nil
}

// decideByReading judges the charges by reading their buckets. Nothing is written, unless the request is denied and a bucket has other
// limits than it should: then it is converted, as by any denial, else its old rate would live on.
func (l *Limiter) decideByReading(ctx context.Context, a *attempt) (admitted bool, err error) {
	if err := l.readUnseen(ctx, a, false); err != nil {
		return false, err
	}
	if admitted, err = l.recordsAdmit(a); admitted || err != nil {
		return admitted, err
	}
	for i := range a.n {
		c := &a.charges[i]
		c.acquire = false
		if err := l.convertUntilDone(ctx, a, c); err != nil { // the denial stands all the same
			if a.abandoned.Load() {
				return false, err
			}
			l.observe(Event{Kind: EventContention, Entity: c.state.id.entity, Resource: c.state.id.resource, Err: err})
		}
	}
	return false, nil
}

func (l *Limiter) recordsAdmit(a *attempt) (admitted bool, err error) {
	for i := range a.n {
		c := &a.charges[i]
		set, tats, _, err := l.states(c)
		if err != nil {
			return false, err
		}
		for j := range set.Rates {
			rate := &set.Rates[j]
			n, _ := c.requested(a, set, j)
			if !rate.Admits(tats[j], rate.Y(c.now), n) {
				return false, nil
			}
		}
	}
	return true, nil
}
