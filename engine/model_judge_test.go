package engine_test

import (
	"context"
	"errors"
	"math"
	"math/big"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ideal does every step on ideal buckets, and demands equality with what the engine did.
type ideal struct {
	c       *execution
	stored  map[[2]int][]idealLimit // by level, and by entity where that has one
	cascade bool
	buckets [2]idealBucket
	leases  map[int]*idealLease
}

func newIdeal(c *execution) *ideal {
	return &ideal{c: c, stored: map[[2]int][]idealLimit{}, leases: map[int]*idealLease{}}
}

// pathBucket is one bucket on a path: what its writer requires, and what is stored.
type pathBucket struct {
	entity       int
	view, stored []idealLimit
}

func idealLimits(limits []engine.Limit, brought bool) []idealLimit {
	var all []idealLimit
	for _, l := range limits {
		all = append(all, idealLimit{Limit: l, brought: brought})
	}
	byName(all)
	return all
}

func (j *ideal) storedFor(entity int) []idealLimit {
	for _, at := range [][2]int{{0, entity}, {1, entity}, {2, 0}, {3, 0}} {
		if d := j.stored[at]; d != nil {
			return d
		}
	}
	return nil
}

// pathBuckets is the path of an entity, without the levels that have no limits.
func (j *ideal) pathBuckets(entity int, brought []idealLimit, over bool) (path []pathBucket) {
	stored := j.storedFor(entity)
	view := stored
	if brought != nil && (over || view == nil) {
		view = brought
	}
	if view != nil {
		path = append(path, pathBucket{entity, view, stored})
	}
	if stored := j.storedFor(1); entity == 0 && j.cascade && stored != nil {
		path = append(path, pathBucket{1, stored, stored})
	}
	return path
}

func (j *ideal) asked(s *step) []pathBucket {
	var brought []idealLimit
	if s.plan >= 0 {
		brought = idealLimits(j.c.palette[s.plan], true)
	}
	return j.pathBuckets(s.entity, brought, s.over)
}

func (j *ideal) judge(r *run, o *outcome) {
	switch now := j.c.now; r.kind {
	case doAcquire, doAllow:
		path := j.asked(r.step)
		if j.gate(r, o, path, now, true) && o.lease != nil {
			j.lend(r, path, now)
		}
	case doInspect:
		j.inspect(r, o, now)
	case doStore:
		j.expect(o, nil)
		j.store(r, now)
	case doUnstore:
		j.expect(o, nil)
		delete(j.stored, [2]int{r.level, j.owner(r)})
	case doReset:
		j.expect(o, nil)
		j.buckets[r.entity].reset()
	case doCascade:
		j.expect(o, nil)
		j.cascade = r.level%2 == 0
	case doDelete:
		j.expect(o, nil)
		j.buckets[0].remove()
		j.cascade = r.level%2 == 0
		delete(j.stored, [2]int{0, 0})
		delete(j.stored, [2]int{1, 0})
	case doConsume, doAdjust, doRelease, doFlush, doCommit, doRollback:
		j.useLease(r, o, now)
	}
	j.compare(j.c.now)
}

// owner is whose the limits of a step are, 0 where its level has no entity.
func (j *ideal) owner(r *run) int {
	if r.level > 1 {
		return 0
	}
	return r.entity
}

func (j *ideal) store(r *run, now int64) {
	j.stored[[2]int{r.level, j.owner(r)}] = idealLimits(j.c.palette[r.plan], false)
	if r.level == 0 {
		stored := j.storedFor(r.entity)
		j.buckets[r.entity].convert(stored, stored, now)
	}
}

// expect compares errors.
func (j *ideal) expect(o *outcome, want error) bool {
	if !errors.Is(o.err, want) {
		j.c.fail("error %v, want %v", o.err, want)
	}
	return want == nil && o.err == nil
}

// gate is an acquire, or a lease that takes more. It reports whether tokens were charged, or looked at.
func (j *ideal) gate(r *run, o *outcome, path []pathBucket, now int64, acquire bool) bool {
	if !j.expect(o, refusal(path, r.tokens)) {
		return false
	}
	admitted := false
	switch {
	case slices.ContainsFunc(path, func(g pathBucket) bool { return above(g.view, r.tokens) }):
	case nothing(r.tokens):
		if admitted = j.look(path, now); !admitted {
			for _, g := range path {
				j.buckets[g.entity].convert(g.view, g.stored, now)
			}
		}
	default:
		admitted = j.charge(path, r.tokens, now, acquire)
	}
	switch {
	case admitted != o.admitted:
		j.c.fail("admitted: %v, want %v", o.admitted, admitted)
	case !admitted:
		j.denial(o, path, r.tokens, now)
	case r.kind == doAllow:
		j.granted(r, path, now, o.statuses)
	}
	return admitted
}

func refusal(path []pathBucket, tokens engine.Tokens) error {
	if len(path) == 0 {
		return engine.ErrNoLimits
	}
	for name := range tokens {
		if !slices.ContainsFunc(path, func(g pathBucket) bool { return find(g.view, name) != nil }) {
			return engine.ErrUnknownLimit
		}
	}
	return nil
}

func above(view []idealLimit, tokens engine.Tokens) bool {
	return slices.ContainsFunc(view, func(d idealLimit) bool { return tokens[d.Name] > d.Capacity })
}

func nothing(tokens engine.Tokens) bool {
	for _, n := range tokens {
		if n != 0 {
			return false
		}
	}
	return true
}

// look judges a request for nothing.
func (j *ideal) look(path []pathBucket, now int64) bool {
	for _, g := range path {
		idealLimits, _, _ := j.buckets[g.entity].as(g.view, g.stored, now)
		if slices.ContainsFunc(idealLimits, func(d idealLimit) bool { return !d.admits(now, 0) }) {
			return false
		}
	}
	return true
}

// charge charges one bucket after the other, a remote store's all at once, and gives all back where one does not admit.
func (j *ideal) charge(path []pathBucket, tokens engine.Tokens, now int64, acquire bool) bool {
	var charged []pathBucket
	for _, g := range path {
		b := &j.buckets[g.entity]
		there := b.there
		if b.charge(g.view, g.stored, tokens, now, acquire) {
			if charged = append(charged, g); !there {
				j.adopt(b, g)
			}
		} else if !j.c.io {
			break
		}
	}
	if len(charged) == len(path) {
		return true
	}
	for _, g := range charged {
		if acquire {
			j.buckets[g.entity].acq--
		}
		for i := range g.view {
			if n := tokens[g.view[i].Name]; n > 0 {
				find(j.buckets[g.entity].idealLimits, g.view[i].Name).give(now, n)
			}
		}
	}
	return false
}

// adopt is for a bucket that was made: it may have limits, full like all, that its writer remembers of an earlier one.
func (j *ideal) adopt(b *idealBucket, g pathBucket) {
	for _, t := range j.c.store.limits(j.record(g.entity)) {
		if find(b.idealLimits, t.Name) != nil {
			continue
		}
		if !t.Brought && find(g.stored, t.Name) == nil {
			j.c.fail("e%d was made with %v, which nobody asked for", g.entity, t)
		}
		b.idealLimits = append(b.idealLimits, idealLimit{Limit: t.Limit, brought: t.Brought})
	}
	byName(b.idealLimits)
}

// denial compares what a denial says.
func (j *ideal) denial(o *outcome, path []pathBucket, tokens engine.Tokens, now int64) {
	want := &outcome{}
	for _, g := range path {
		want.tell(g, &j.buckets[g.entity], tokens, now)
	}
	slices.SortStableFunc(want.statuses, byBucket)
	slices.SortStableFunc(o.statuses, byBucket)
	if !slices.Equal(want.statuses, o.statuses) || want.retry != o.retry || want.never != o.never {
		j.c.fail("told %v, never: %v\nwant %v, never: %v", o, o.never, want, want.never)
	}
}

// tell adds what there is to say of one bucket: of all limits that the writer requires, and of others that are in its way.
func (o *outcome) tell(g pathBucket, p *idealBucket, tokens engine.Tokens, now int64) {
	idealLimits, converted, m := p.as(g.view, g.stored, now)
	for i := range idealLimits {
		d, n := &idealLimits[i], wanted(g.view, tokens, idealLimits[i].Name)
		s := engine.LimitStatus{
			Entity: entityName(g.entity), Resource: anyResource, Limit: d.Limit,
			Remaining: d.available(now), Requested: n, Exceeded: !d.admits(now, n), NeverFits: n > d.Capacity, ResetAfter: d.fullAfter(now),
		}
		switch {
		case s.NeverFits:
			s.RetryAfter, o.never = math.MaxInt64, true
		case s.Exceeded:
			s.RetryAfter = d.wait(now, n)
			if was := find(p.idealLimits, d.Name); converted && was != nil && m <= now {
				s.RetryAfter = was.waitConverted(d, now, n)
			}
		case find(g.view, d.Name) == nil:
			continue
		}
		o.retry = max(o.retry, s.RetryAfter)
		o.statuses = append(o.statuses, s)
	}
}

func byBucket(a, b engine.LimitStatus) int {
	return slices.Compare([]string{a.Entity, a.Limit.Name}, []string{b.Entity, b.Limit.Name})
}

// inspect compares what is told of all limits, and how long the request would have to wait.
func (j *ideal) inspect(r *run, o *outcome, now int64) {
	path := j.asked(r.step)
	if !j.expect(o, refusal(path, r.tokens)) {
		return
	}
	for _, g := range path {
		if r.over {
			break
		}
		all := new(outcome)
		if all.tell(g, &j.buckets[g.entity], nil, now); !slices.Equal(all.statuses, of(g, o.statuses)) {
			j.c.fail("told %v, want %v", o, all)
		}
	}
	want := new(outcome)
	for _, g := range path {
		want.tell(g, &j.buckets[g.entity], r.tokens, now)
	}
	if o.never != want.never || o.retry != want.retry {
		j.c.fail("told %v, never: %v, want %v, %v", o.retry, o.never, want.retry, want.never)
	}
}

// of are the statuses of one bucket.
func of(g pathBucket, all []engine.LimitStatus) []engine.LimitStatus {
	return slices.DeleteFunc(slices.Clone(all), func(s engine.LimitStatus) bool { return s.Entity != entityName(g.entity) })
}

// compare holds the records in the store against the ideal buckets.
func (j *ideal) compare(now int64) {
	for i := range j.buckets {
		p, r := &j.buckets[i], j.record(i)
		if r.Present() != p.there {
			j.c.fail("e%d is there: %v, want %v", i, r.Present(), p.there)
		} else if p.there {
			j.compareRecord(i, p, r, now)
		}
	}
}

func (j *ideal) record(entity int) *backend.Record {
	key, _ := schema.Bucket(engine.DefaultNamespace, entityName(entity), anyResource)
	var out [1]backend.Record
	out[0].Reset(schema.BucketLayout)
	if err := j.c.store.inner.Read(context.Background(), []backend.Key{key}, out[:]); err != nil {
		j.c.fail("%v", err)
	}
	return &out[0]
}

func (j *ideal) compareRecord(entity int, p *idealBucket, r *backend.Record, now int64) {
	terms := j.c.store.limits(r)
	if len(terms) != len(p.idealLimits) || r.Int64(schema.Acq) != p.acq || r.Int64(schema.Conv) != p.conv {
		j.c.fail("e%d has %v, %d acquires, converted at %d; want %v, %d, %d",
			entity, terms, r.Int64(schema.Acq), r.Int64(schema.Conv), p.idealLimits, p.acq, p.conv)
		return
	}
	for i, t := range terms {
		d := find(p.idealLimits, t.Name)
		if d == nil || !d.same(&idealLimit{Limit: t.Limit, brought: t.Brought}) || r.Int64(schema.Used(i)) != d.used {
			j.c.fail("e%d has %+v, used %d, want %+v", entity, t, r.Int64(schema.Used(i)), d)
			return
		}
		if full := fullAt(r, i, t.Limit, now); full.Cmp(d.base(now)) != 0 {
			j.c.fail("%s of e%d is full at %v, want %v", t.Name, entity, full, d.base(now))
		}
	}
}

// fullAt is the instant at which a limit of a record is full, or now.
func fullAt(r *backend.Record, i int, l engine.Limit, now int64) *big.Rat {
	tat, seen := r.Num(schema.Tat(i))
	full := new(big.Rat).SetFrac(tat.Big(), big.NewRat(l.RefillAmount, int64(l.RefillPeriod)).Num())
	if n := ratOf(now); !seen || full.Cmp(n) < 0 {
		return n
	}
	return full
}
