package memory

import "context"

// sweepMost is how many records one Sweep looks at, once it has dropped one.
const sweepMost = 1 << 15

// Sweep is a [backend.SweepFunc]. It skips shards in which nothing can have expired, and leaves the rest of a long
// way to the next call; it returns 0 only when it went all the way.
func (s *Store) Sweep(ctx context.Context, now int64) (int, error) {
	if err := s.begin(ctx); err != nil {
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
		if err := s.begin(ctx); err != nil {
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

// sweep drops the expired records of one shard, and finds out when the next expires.
func (s *Store) sweep(sh *shard, now int64) (seen, dropped int) {
	sh.lock.Lock()
	defer sh.lock.Unlock()
	if sh.listed {
		s.order.lock.Lock()
		defer s.order.lock.Unlock()
	}
	seen = sh.table.count
	sh.soonest.Store(never) // writes lower it again while we look
	for i := 0; i < len(sh.table.records); {
		r := sh.table.records[i]
		if r == nil {
			i++
			continue
		}
		r.lock.Lock()
		if e := r.body.Expiry(); e > 0 && int64(e) < now {
			s.dropLocked(sh, r) // and look at who stands there now
			dropped++
		} else {
			sh.expects(e)
			i++
		}
		r.lock.Unlock()
	}
	return seen, dropped
}
