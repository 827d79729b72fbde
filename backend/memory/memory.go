package memory

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Options change how a store works. A nil *Options is valid.
type Options struct {
	// Feed keeps every change until it has been taken by Feed of the store's Capabilities. Default: no changes are kept.
	Feed bool
}

// Store is a [backend.Backend] in memory. Safe for concurrent use.
type Store struct {
	seed   maphash.Seed
	closed atomic.Bool
	queue  *queue // nil without Options.Feed
	shards [shardCount]shard
	order  order

	sweeping sync.Mutex
	sweepAt  int // the shard at which the next Sweep begins
}

// New returns an empty store.
func New(o *Options) *Store {
	s := &Store{seed: maphash.MakeSeed()}
	if o != nil && o.Feed {
		s.queue = &queue{}
	}
	s.order.primary.at, s.order.index.at = (*record).position, (*record).standing
	for i := range s.shards {
		s.shards[i].soonest.Store(never)
	}
	return s
}

var _ backend.Backend = (*Store)(nil)

// Capabilities implements [backend.Backend]. The store needs no I/O, and has every power but ClockAhead; Feed only with
// Options.Feed.
func (s *Store) Capabilities() backend.Capabilities {
	c := backend.Capabilities{NoIO: true, HonorsContext: true, Max: true, Sweep: s.Sweep, Scan: s.Scan}
	if s.queue != nil {
		c.Feed = s.Feed
	}
	return c
}

// Read implements [backend.Backend].
func (s *Store) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	if len(keys) != len(out) {
		return errLengths(len(keys), len(out))
	}
	for i := range keys {
		if err := keys[i].Validate(); err != nil {
			return err
		}
		if out[i].Layout() == nil {
			return errNoLayout(keys[i])
		}
	}
	var odd backend.UnreadableError
	for i := range keys {
		if err := s.read(&keys[i], &out[i]); err != nil {
			odd.Add(i, err)
		}
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	return odd.OrNil()
}

func (s *Store) read(k *backend.Key, out *backend.Record) error {
	hash := s.hash(k)
	sh := s.shard(hash)
	for {
		sh.lock.RLock()
		r := sh.findLocked(hash, k)
		sh.lock.RUnlock()
		if r == nil {
			out.Reset(out.Layout())
			return nil
		}
		r.lock.Lock()
		has, dead := r.body.Layout(), r.deadLocked()
		if !dead && has == out.Layout() {
			out.CopyFrom(&r.body)
		}
		r.lock.Unlock()
		switch {
		case dead:
			continue // removed since it was found
		case has != out.Layout():
			out.Reset(out.Layout())
			return errLayout(*k, has, out.Layout())
		}
		return nil
	}
}

// Close implements [backend.Backend].
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.lock.Lock()
		sh.table, sh.spares, sh.groups = table{}, spares{}, nil
		sh.lock.Unlock()
	}
	s.order.lock.Lock()
	s.order.primary.chunks, s.order.index.chunks = nil, nil
	s.order.lock.Unlock()
	return nil
}

// check is the first step of every call, and the last one of those that read, because they find only some of the records while Close
// frees them.
func (s *Store) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return backend.ErrClosed
	}
	return nil
}
