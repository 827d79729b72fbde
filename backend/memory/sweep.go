package memory

import "context"

// sweepMost is how many records one Sweep looks at after it has dropped one.
const sweepMost = 1 << 15

// Sweep is a [backend.SweepFunc]. It skips shards in which no record can have expired. One call may stop early, and the next
// continues there; it returns 0 only if no record has expired.
func (s *Store) Sweep(ctx context.Context, now int64) (int, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	seen, dropped := 0, 0
	for range s.shards {
		sh := &s.shards[s.sweepAt%shardCount]
		s.sweepAt++
		if sh.soonest.Load() >= now {
			continue
		}
		if err := s.check(ctx); err != nil {
			return dropped, err
		}
		n, gone := s.sweep(sh, now)
		seen, dropped = seen+n, dropped+gone
		if dropped > 0 && seen >= sweepMost {
			break
		}
	}
	return dropped, nil
}

// sweep drops the expired records of one shard, and finds the earliest expiry of the others.
func (s *Store) sweep(sh *shard, now int64) (seen, dropped int) {
	sh.lock.Lock()
	defer sh.lock.Unlock()
	if sh.listed {
		s.order.lock.Lock()
		defer s.order.lock.Unlock()
	}
	seen = sh.table.count
	sh.soonest.Store(never) // writes lower it while the loop runs
	for i := 0; i < len(sh.table.records); {
		r := sh.table.records[i]
		if r == nil {
			i++
			continue
		}
		r.lock.Lock()
		if e := r.body.Expiry(); e > 0 && int64(e) < now {
			s.dropLocked(sh, r) // another record may have moved to i
			dropped++
		} else {
			sh.expects(e)
			i++
		}
		r.lock.Unlock()
	}
	return seen, dropped
}
