package engine

import (
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// bucketState is what this process knows of one bucket: its key, its configuration and its last seen record. All of it may
// be out of date: the conditions of the next write find that out.
type bucketState struct {
	id         bucketID
	partition  string                   // of the key
	conf       atomic.Pointer[config]   // nil: to be read
	loaded     atomic.Int64             // when conf was read, ns since the Unix epoch, on the limiter's clock
	brought    atomic.Pointer[limitSet] // what the last request with limits of its own brought
	renewed    atomic.Bool              // somebody reads conf again already
	converting atomic.Bool              // some caller of this process converts the bucket, and others wait for it
	used       atomic.Bool              // since the cache last looked for one to drop
	dropped    atomic.Bool              // no longer in the cache
	epoch      atomic.Uint32            // counts own changes of the configuration, and own resets; changes under lock
	lock       spin.Lock                // guards what follows; nothing waits under it
	memo       backend.Memo             // the store's, if it gave any
	seen       lastSeen
}

// stateAt finds or makes the state of a bucket; the ids of a new one are checked.
func (l *Limiter) stateAt(id *bucketID) (*bucketState, error) {
	if h := l.cache.get(id); h != nil {
		return h, nil
	}
	if err := checkEntity(id.entity); err != nil {
		return nil, err
	}
	if err := checkResource(id.resource); err != nil {
		return nil, err
	}
	key, _ := schema.Bucket(l.opts.Namespace, id.entity, id.resource)
	return l.cache.add(&bucketState{id: *id, partition: key.Partition}), nil
}

// current returns the state by which others decide now: the one that the cache remembers, or h if it remembers none.
func (l *Limiter) current(h *bucketState) *bucketState {
	if h.dropped.Load() {
		if now := l.cache.get(&h.id); now != nil {
			return now
		}
	}
	return h
}

// key is that of the state's bucket.
func (l *Limiter) key(h *bucketState) backend.Key {
	return schema.BucketAt(l.opts.Namespace, h.partition)
}

// forget makes the next user read the configuration, and drops what denials from memory rest on.
func (h *bucketState) forget() {
	h.lock.Lock()
	h.epoch.Add(1)
	h.conf.Store(nil)
	h.seen.at = 0
	h.lock.Unlock()
}

// store remembers what was read of the configuration, unless it was changed by this process since the reading began.
func (h *bucketState) store(c *config, now int64, epoch uint32) (current bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.epoch.Load() != epoch {
		return false
	}
	h.loaded.Store(now)
	h.conf.Store(c)
	return true
}

// remember makes r the last seen record of the charge's bucket; see lastSeen.take.
func (c *bucketCharge) remember(r *backend.Record, p *limitSet, mine bool) {
	c.h.lock.Lock()
	c.rememberLocked(r, p, mine)
	c.h.lock.Unlock()
}

// rememberLocked makes r the last seen record, unless this process has reset the bucket or changed its configuration since
// the charge began: r may be older than that, and would repeat a denial that no longer holds. The caller holds the lock.
func (c *bucketCharge) rememberLocked(r *backend.Record, p *limitSet, mine bool) {
	if c.h.epoch.Load() != c.epoch {
		return
	}
	c.h.seen.take(r, p, c.now, mine)
}
