package engine

import (
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// handle is what this process knows of one bucket: its key, its configuration and how its record looked last. All of it
// may be out of date: the conditions of the next write tell. It is four lines of the processor's cache, and what is read
// before the lock is taken stands in all of them: so they come at the same time.
type handle struct {
	id      bucketID
	lock    spin.Lock              // guards view and memo; nothing waits under it
	dropped atomic.Bool            // no longer in the cache
	conf    atomic.Pointer[config] // nil: to be read
	memo    any                    // the store's
	view    view
	brought atomic.Pointer[plan] // what the last request with limits of its own brought
	epoch   atomic.Uint32        // counts own changes of what conf was read from
	renewed atomic.Bool          // somebody reads conf anew already
	loaded  atomic.Int64         // when conf was read, ns since the Unix epoch, on the limiter's clock
	key     backend.Key
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
	h := &handle{id: *id}
	h.key, _ = schema.Bucket(l.opts.Namespace, id.entity, id.resource)
	return l.buckets.add(h), nil
}

// forget makes the next user read the configuration, and drops what denials from memory rest on.
func (h *handle) forget() {
	h.epoch.Add(1)
	h.conf.Store(nil)
	h.lock.Lock()
	h.view.moved()
	h.view.seen = 0
	h.lock.Unlock()
}
