package engine

import (
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// handle is what this process knows of one bucket: its key, its configuration and how its record looked last. All of it
// may be out of date: the conditions of the next write tell.
type handle struct {
	id         bucketID
	partition  string                 // of the key
	conf       atomic.Pointer[config] // nil: to be read
	loaded     atomic.Int64           // when conf was read, ns since the Unix epoch, on the limiter's clock
	brought    atomic.Pointer[plan]   // what the last request with limits of its own brought
	renewed    atomic.Bool            // somebody reads conf anew already
	converting atomic.Bool            // some caller of this process converts the bucket, and others wait for it
	used       atomic.Bool            // since the cache last looked for one to drop
	dropped    atomic.Bool            // no longer in the cache
	epoch      atomic.Uint32          // counts own changes of the configuration, and own resets; changes under lock
	lock       spin.Lock              // guards what follows; nothing waits under it
	memo       backend.Memo           // the store's, if it gave any
	view       view
}

// handle finds or makes the handle of a bucket; the ids of a new one are checked.
func (l *Limiter) handle(id *bucketID) (*handle, error) {
	if h := l.buckets.get(id); h != nil {
		return h, nil
	}
	if err := checkEntity(id.entity); err != nil {
		return nil, err
	}
	if err := checkResource(id.resource); err != nil {
		return nil, err
	}
	key, _ := schema.Bucket(l.opts.Namespace, id.entity, id.resource)
	return l.buckets.add(&handle{id: *id, partition: key.Partition}), nil
}

// key is that of the handle's bucket.
func (l *Limiter) key(h *handle) backend.Key { return schema.BucketAt(l.opts.Namespace, h.partition) }

// forget makes the next user read the configuration, and drops what denials from memory rest on.
func (h *handle) forget() {
	h.lock.Lock()
	h.epoch.Add(1)
	h.conf.Store(nil)
	h.view.seen = 0
	h.lock.Unlock()
}

// store remembers what was read of the configuration, unless it was changed by this process since the reading began.
func (h *handle) store(c *config, now int64, epoch uint32) (current bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.epoch.Load() != epoch {
		return false
	}
	h.loaded.Store(now)
	h.conf.Store(c)
	return true
}

// see takes a record into the view of the claim's handle; see view.take.
func (c *claim) see(r *backend.Record, p *plan, mine bool) {
	c.h.lock.Lock()
	c.seeLocked(r, p, mine)
	c.h.lock.Unlock()
}

// seeLocked takes a record into the view, unless an own reset or change of configuration came since the claim began: then
// the record may be of before, and would bring back a denial that no longer holds.
func (c *claim) seeLocked(r *backend.Record, p *plan, mine bool) {
	if c.h.epoch.Load() != c.epoch {
		return
	}
	c.h.view.take(r, p, c.now, mine)
}
