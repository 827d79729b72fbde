package engine_test

import (
	"context"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// order knows what was stored when, and demands that buckets follow: that none is converted to limits that are older
// than those it has, or written under an older version of its entity.
type order struct {
	stored  [2][][]schema.Term // by entity: what was in force for it, the oldest first
	since   [2]int             // which of these the bucket has, at least
	version int64              // of the child's entity
	eased   [2]int64           // when tokens last came back to the bucket otherwise than by refilling
	known   [3][2]int          // by process and entity: which of these it has stored itself, at least
}

// note looks at what is stored now.
func (o *order) note(s *watched) {
	for e := range o.stored {
		if len(o.stored[e]) == 0 {
			o.stored[e] = append(o.stored[e], nil)
		}
		now := o.inForce(s, entityName(e))
		if last := o.stored[e][len(o.stored[e])-1]; !slices.Equal(last, now) {
			o.stored[e] = append(o.stored[e], now)
		}
	}
	key, _ := schema.Entity(engine.DefaultNamespace, "e0")
	o.version = read(s, key).Int64(schema.EntityVer)
}

func (o *order) inForce(s *watched, entity string) []schema.Term {
	const ns = engine.DefaultNamespace
	own, _ := schema.EntityLimits(ns, entity, anyResource)
	all, _ := schema.EntityLimits(ns, entity, "")
	resource, _ := schema.Resource(ns, anyResource)
	for _, key := range []backend.Key{own, all, resource, schema.System(ns)} {
		if packed, ok := read(s, key).Text(schema.ConfigLimits); ok {
			terms, err := schema.Unpack(packed)
			if err != nil {
				s.world.fail("stored limits: %v", err)
			}
			return terms
		}
	}
	return nil
}

func read(s *watched, key backend.Key) *backend.Record {
	var out [1]backend.Record
	out[0].Reset(schema.LayoutOf(key))
	if err := s.inner.Read(context.Background(), []backend.Key{key}, out[:]); err != nil {
		s.world.fail("%v", err)
	}
	return &out[0]
}

// took is told of every write that took effect on a bucket.
func (o *order) took(c *execution, e *effect, was, now *backend.Record) {
	if e.ended || slices.ContainsFunc(e.used[:], func(n int64) bool { return n < 0 }) || !slices.Equal(e.before, e.after) {
		o.eased[e.entity] = c.now
	}
	if !was.Present() || !now.Present() {
		o.since[e.entity] = 0
		return
	}
	if slices.Equal(e.before, e.after) {
		if before := was.Int64(schema.Path); e.entity == 0 && now.Int64(schema.Path) < before && before <= o.version {
			c.fail("e0 was written under version %d of its entity, after %d", now.Int64(schema.Path), before)
		}
		return
	}
	for at := o.since[e.entity]; at < len(o.stored[e.entity]); at++ {
		if o.allows(e, o.stored[e.entity][at]) {
			o.since[e.entity] = at
			return
		}
	}
	if slices.ContainsFunc(e.after, func(t schema.Term) bool { return !t.Brought }) {
		c.fail("e%d was converted from %v to %v, which is older, or was never stored", e.entity, e.before, e.after)
	}
}

// judge demands that a process that has changed what is stored goes by it from then on.
func (o *order) judge(c *execution, r *run, out *outcome) {
	if r.kind <= doConsume && out.err == nil && !out.admitted && !out.never && r.calls == 0 {
		o.fromMemory(c, r)
	}
	switch {
	case out.err != nil || r.over || r.visited:
	case r.kind == doStore || r.kind == doUnstore:
		for e := range o.stored {
			if r.level > 1 || r.entity == e {
				o.known[r.proc][e] = len(o.stored[e]) - 1
			}
		}
	case r.kind <= doAllow && out.admitted:
		for _, e := range r.effects {
			known := min(o.known[r.proc][e.entity], len(o.stored[e.entity]))
			fits := func(stored []schema.Term) bool { return o.allows(e, stored) }
			if e.admission && known > 0 && !slices.ContainsFunc(o.stored[e.entity][known:], fits) {
				c.fail("p%d goes by %v, after it has stored others", r.proc, e.after)
			}
		}
	}
}

// fromMemory demands of a denial for which the store was not asked that it is true, or became untrue just now.
func (o *order) fromMemory(c *execution, r *run) {
	untrue := true
	for e := r.entity; e == r.entity || c.family && e < len(o.stored); e++ {
		key, _ := schema.Bucket(engine.DefaultNamespace, entityName(e), anyResource)
		bucket := read(c.store, key)
		for i, t := range c.store.limits(bucket) {
			n, _ := available(bucket, i, &t, c.now+c.procs[r.proc].ahead)
			untrue = untrue && n >= r.tokens[t.Name]
		}
	}
	latest := max(o.eased[0], o.eased[1])
	if untrue && c.now-latest > int64(time.Second+c.skew) {
		c.fail("denied from memory, but admitted by the store for %v", time.Duration(c.now-latest))
	}
}

// allows tells whether all stored limits of a bucket may come from stored.
func (o *order) allows(e *effect, stored []schema.Term) bool {
	return !slices.ContainsFunc(e.after, func(t schema.Term) bool { return !t.Brought && !slices.Contains(stored, t) })
}
