package bolt

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/zeroae/zae-limiter-go/backend"
)

// One transaction looks at up to sweepMost instants of the bucket expiry, and one call makes up to sweepCalls of them, as
// long as all that it looks at live on.
const (
	sweepMost  = 1000
	sweepCalls = 8
)

// Sweep is a [backend.SweepFunc]. One call drops up to a thousand records, in one transaction. It returns 0 if there is
// nothing to drop, and in rare cases if it has looked only at records that live on, which it does not look at again.
func (s *Store) Sweep(ctx context.Context, now int64) (int, error) {
	for range sweepCalls {
		if err := s.begin(ctx); err != nil {
			return 0, err
		}
		sw := &sweeping{now: now}
		if err := s.queue.do(ctx, &request{run: sw.run, size: sweepMost}); err != nil {
			return 0, err
		}
		if sw.err != nil || sw.dropped > 0 || sw.seen == 0 {
			return sw.dropped, sw.err
		}
	}
	return 0, nil
}

type sweeping struct {
	now           int64
	seen, dropped int
	err           error
}

// run looks at the records whose instants in the bucket have come: expired, or living on, and then moved to
// the instant of their expiry.
func (sw *sweeping) run(b *batch) {
	c := b.expiry().Cursor()
	for at, _ := c.First(); at != nil && sw.seen < sweepMost; at, _ = c.Next() {
		if len(at) < 8 || int64(binary.BigEndian.Uint64(at)) >= sw.now {
			return
		}
		k, err := decodeKey(at[8:])
		if err != nil {
			sw.err = errRecord(k, err)
			return
		}
		st, err := b.load(k)
		if err != nil {
			sw.err = errRecord(k, err)
			return
		}
		if sw.seen++; st.was.due != backend.Expiry(binary.BigEndian.Uint64(at)) {
			b.stale = append(b.stale, bytes.Clone(at))
			continue
		}
		if st.there && st.now.expiry != backend.NoExpiry && int64(st.now.expiry) < sw.now {
			b.change(st, st.remove)
			sw.dropped++
		}
		st.late = true
	}
}
