package engine

import (
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// handle is what this process knows of one bucket: its key, its configuration and how its record looked last. All of it
// may be out of date: the conditions of the next write tell.
type handle struct {
	id    bucketID
	key   backend.Key
	place backend.Place

	conf    atomic.Pointer[config] // nil: to be read
	dropped atomic.Bool            // no longer in the cache
	epoch   atomic.Uint32          // counts own changes of what conf was read from
	brought atomic.Pointer[plan]   // what the last request with limits of its own brought

	lock spin.Lock // guards what follows; nothing waits under it
	memo any       // the store's
	view view
}

// view is the last record seen, from a refusal or a success.
type view struct {
	out    [1]backend.Outcome      // with the record; a store may write into it
	plan   *plan                   // of record's L; nil: no record
	seen   int64                   // when, on the limiter's clock; 0: nothing seen, or not to be relied on for denials
	shared int                     // own writes since others were seen to write, counted down
	busy   [schema.MaxLimits]uint8 // by position in plan: moving average of "was active", 0 to 255
}

func (v *view) record() *backend.Record { return &v.out[0].Record }

// sharedFor is for how many own writes a bucket counts as shared after another writer was noticed.
const sharedFor = 32

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
	h := &handle{}
	h.key, h.place = schema.Bucket(l.opts.Namespace, id.entity, id.resource)
	// The parts of the key serve as the id, so that a caller's strings are not kept.
	h.id.entity, h.id.resource, _ = schema.BucketOf(h.key)
	return l.buckets.add(h), nil
}

// forget makes the next user read the configuration, and drops what denials from memory rest on.
func (h *handle) forget() {
	h.epoch.Add(1)
	h.conf.Store(nil)
	h.lock.Lock()
	h.view.seen = 0
	h.lock.Unlock()
}

// learn takes in a record with the limits of p (nil: there is none), unless it is older than the one that is known.
// mine tells whether the record is what a write of this process left.
func (h *handle) learn(r *backend.Record, p *plan, now int64, mine bool) {
	h.lock.Lock()
	h.learnLocked(r, p, now, mine)
	h.lock.Unlock()
}

func (h *handle) learnLocked(r *backend.Record, p *plan, now int64, mine bool) {
	v := &h.view
	if v.plan != nil && p != nil {
		moved := r.Int64(schema.Ver) - v.record().Int64(schema.Ver)
		if moved < 0 && sameLife(v.record(), r) {
			return
		}
		if mine {
			moved--
		}
		if moved > 0 {
			v.shared = sharedFor
		} else if v.shared > 0 {
			v.shared--
		}
	}
	v.record().CopyFrom(r)
	v.plan, v.seen = p, now
}

// sameLife tells whether two records of a bucket are of one life: none was removed or reset between.
func sameLife(a, b *backend.Record) bool {
	x, _ := a.Num(schema.Born)
	y, _ := b.Num(schema.Born)
	return x == y
}

// arrival is the state of the i-th limit of a bucket's record.
func arrival(r *backend.Record, i int) (a bucket.Arrival) {
	a.At, a.Seen = r.Num(schema.Tat(i))
	return a
}
