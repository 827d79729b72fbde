package engine

import (
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// handle is what this process knows of one bucket: its key, its configuration and how its record looked last. All of it
// may be out of date: the conditions of the next write tell. It is what the quick way needs, in two lines of the
// processor's cache, which are read and written without a lock; the rest stands elsewhere.
type handle struct {
	id      bucketID
	conf    atomic.Pointer[config] // nil: to be read
	loaded  atomic.Int64           // when conf was read, ns since the Unix epoch, on the limiter's clock
	brought atomic.Pointer[plan]   // what the last request with limits of its own brought
	ready   atomic.Pointer[plan]   // of the record's L, if that was just what its last writer here required

	memo      atomic.Value           // the store's, if it gave any
	repeat    atomic.Pointer[repeat] // a denial that can be given again, nil: none
	partition string                 // of the key
	turn      atomic.Uint32          // odd: the view shows a denial, and nothing has moved since
	behind    atomic.Bool            // the record has moved since it was taken into the view
	dropped   atomic.Bool            // no longer in the cache
	*background
}

// background is what the quick way does not need of a handle.
type background struct {
	cache      *cache        // that the handle is or was in
	renewed    atomic.Bool   // somebody reads conf anew already
	epoch      atomic.Uint32 // counts own changes of the configuration, and own resets; changes under lock
	converting atomic.Bool   // some caller of this process converts the bucket, and others wait for it
	lock       spin.Lock     // guards view; nothing waits under it
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
	return l.buckets.add(newHandle(id, key.Partition, l.buckets)), nil
}

func newHandle(id *bucketID, partition string, c *cache) *handle {
	return &handle{id: *id, partition: partition, background: &background{cache: c}}
}

// key is that of the handle's bucket.
func (l *Limiter) key(h *handle) backend.Key { return schema.BucketAt(l.opts.Namespace, h.partition) }

// remember keeps the store's memo for the next write.
func (h *handle) remember(memo any) {
	if memo != nil && memo != h.memo.Load() {
		h.memo.Store(memo)
		h.cache.note(h, memo)
	}
}

// forget makes the next user read the configuration, and drops what denials from memory rest on.
func (h *handle) forget() {
	h.lock.Lock()
	h.epoch.Add(1)
	h.conf.Store(nil)
	h.moved()
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

// passed notes an admission of which the view knows nothing.
func (h *handle) passed() {
	if !h.behind.Load() {
		h.behind.Store(true)
	}
	h.moved()
}

// moved ends the denial that rests on what the record was before. It is called after the write.
func (h *handle) moved() {
	turn := h.turn.Load()
	if turn&1 == 0 {
		return // whoever shows a denial from now on asks the store, or the view, twice before it is repeated
	}
	h.turn.CompareAndSwap(turn, turn+1)
	h.repeat.Store(nil)
}

// show begins a turn in which the view, taken in just now, denies what was asked for last.
func (h *handle) show() {
	if turn := h.turn.Load(); turn&1 == 0 {
		h.turn.CompareAndSwap(turn, turn+1)
	}
}

// keep makes a denial ready to be repeated while the turn lasts in which it was found.
func (h *handle) keep(turn uint32, d *repeat) {
	if turn&1 == 0 {
		return
	}
	if h.repeat.Store(d); h.turn.Load() != turn { // moved meanwhile, and perhaps before the store
		h.repeat.CompareAndSwap(d, nil)
	}
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
	c.h.takeLocked(r, p, c.now, mine)
}

func (h *handle) takeLocked(r *backend.Record, p *plan, now int64, mine bool) {
	h.view.take(r, p, now, mine, h.behind.Load())
	h.behind.Store(false)
	h.moved()
}
