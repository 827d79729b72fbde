package bolt

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/zeroae/zae-limiter-go/backend"
)

// One transaction reads up to sweepMost times of the bucket expiry, and one call makes up to sweepCalls transactions, until
// one of them has dropped a record.
const (
	sweepMost  = 1000
	sweepCalls = 8
)

// Sweep is a [backend.SweepFunc]. One call drops up to a thousand records, in one transaction. It returns 0 if no record has
// expired, and in rare cases if it has found only records whose expiry was put off, which it does not find again. With
// Options.ReadOnly it returns an error that is backend.ErrRejected.
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

// run drops the records whose time in the bucket has passed, unless their expiry was put off: then it moves them to the time
// of their expiry.
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
