package engine_test

import (
	"maps"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

type leaseState uint8

const (
	open leaseState = iota
	settling
	ended
)

// idealLease is a lease as it should be.
type idealLease struct {
	state   leaseState
	charged int64
	root    int
	pinned  []idealLimit // the limits that the acquire brought and was judged by
	over    bool         // they beat what is stored
	parts   []*idealPart
}

type idealPart struct {
	entity int
	life   int
	sums   map[string]*sums
}

// sums are what a lease holds of one limit. Of what is void an adjustment downwards has no effect.
type sums struct{ held, pending, gone, void, asked int64 }

// useLease does on the ideal lease what a step did, and compares.
func (j *ideal) useLease(r *run, o *outcome, now int64) {
	l := j.leases[r.lease]
	if l == nil {
		j.c.fail("a lease that should not be")
		return
	}
	switch r.kind {
	case doConsume:
		j.consume(r, o, l, now)
	case doAdjust:
		if j.adjust(o, l, r.tokens, 1) {
			l.pend(r.tokens, 1)
		}
	case doRelease:
		if j.releases(o, l, r.tokens) {
			l.pend(r.tokens, -1)
			j.expect(o, j.settle(l, now))
		}
	case doFlush:
		if j.usable(o, l, open) {
			j.expect(o, j.settle(l, now))
		}
	case doCommit:
		if j.usable(o, l, settling) {
			l.state = settling
			if j.expect(o, j.settle(l, now)) {
				l.state = ended
			}
		}
	case doRollback:
		j.rollback(o, l, now)
	}
	j.consumed(r.lease, l)
}

// usable reports whether the lease is in a state up to the latest that will do.
func (j *ideal) usable(o *outcome, l *idealLease, latest leaseState) bool {
	if l.state > latest {
		j.expect(o, engine.ErrLeaseClosed)
		return false
	}
	return true
}

func (j *ideal) consume(r *run, o *outcome, l *idealLease, now int64) {
	if !j.usable(o, l, open) {
		return
	}
	path := j.pathBuckets(l.root, l.pinned, l.over)
	if j.gate(r, o, path, now, false) && !nothing(r.tokens) {
		for _, g := range path {
			l.hold(g, &j.buckets[g.entity], r.tokens, false)
		}
	}
}

// adjust reports whether an adjustment is good, and expects an error where it is not.
func (j *ideal) adjust(o *outcome, l *idealLease, tokens engine.Tokens, sign int64) bool {
	if !j.usable(o, l, open) {
		return false
	}
	if l.adjustable(tokens, sign) {
		return true
	}
	if o.err == nil {
		j.c.fail("a bad adjustment was taken")
	}
	return false
}

func (j *ideal) releases(o *outcome, l *idealLease, tokens engine.Tokens) bool {
	return j.adjust(o, l, tokens, -1)
}

func (l *idealLease) adjustable(tokens engine.Tokens, sign int64) bool {
	for name, n := range tokens {
		known := false
		for _, p := range l.parts {
			s := p.sums[name]
			if s == nil {
				continue
			}
			known = true
			d := sign * n
			if sum := s.held + s.pending + d; d < 0 && sum+s.void < 0 || sum > bucket.MaxDebt || d > bucket.MaxDebt || d < -bucket.MaxDebt || s.pending+d > bucket.MaxDebt {
				return false
			}
		}
		if !known {
			return false
		}
	}
	return true
}

func (l *idealLease) pend(tokens engine.Tokens, sign int64) {
	for name, n := range tokens {
		for _, p := range l.parts {
			if s := p.sums[name]; s != nil {
				s.pending += sign * n
			}
		}
	}
}

func (j *ideal) rollback(o *outcome, l *idealLease, now int64) {
	if l.state != open {
		j.expect(o, nil)
		return
	}
	for _, p := range l.parts {
		for _, s := range p.sums {
			s.pending, s.void = -s.held, 0
		}
	}
	if j.expect(o, j.settle(l, now)) {
		l.state = ended
	}
}

// settle writes what is pending.
func (j *ideal) settle(l *idealLease, now int64) (err error) {
	for _, p := range l.parts {
		p.trim()
		if now-l.charged > int64(time.Hour) {
			p.voidDowns()
		}
		if e := j.settlePart(p, now); e != nil {
			err = e
		}
	}
	return err
}

// voidDowns ends refunds that nobody takes: what would have gone back stays consumed.
func (p *idealPart) voidDowns() {
	for _, s := range p.sums {
		if s.pending < 0 {
			s.gone, s.held, s.pending = s.gone-s.pending, s.held+s.pending, 0
		}
	}
}

func (j *ideal) settlePart(p *idealPart, now int64) error {
	b := &j.buckets[p.entity]
	if !b.there || b.life != p.life {
		p.voidDowns()
	}
	ups := false
	for _, s := range p.sums {
		ups = ups || s.pending > 0
	}
	if !b.there && ups { // with the limits that the process thinks it has
		r := j.record(p.entity)
		for _, t := range j.c.store.limits(r) {
			b.idealLimits = append(b.idealLimits, idealLimit{Limit: t.Limit, brought: t.Brought})
		}
		if !r.Present() {
			return engine.ErrOutOfRange
		}
		b.create(b.idealLimits)
	}
	for name, s := range p.sums {
		if b.there && find(b.idealLimits, name) == nil { // a limit that is no more
			if s.pending < 0 {
				s.gone, s.held = s.gone-s.pending, s.held+s.pending
			} else {
				s.void += s.pending
			}
			s.pending = 0
		}
	}
	ups = false
	for name, s := range p.sums {
		if s.pending > 0 && find(b.idealLimits, name).tooDeep(now, s.pending) {
			return engine.ErrOutOfRange
		}
		ups = ups || s.pending > 0
	}
	if ups {
		p.begin(b.life)
	}
	for name, s := range p.sums {
		if d := find(b.idealLimits, name); s.pending > 0 {
			d.take(now, s.pending)
		} else if s.pending < 0 {
			d.give(now, -s.pending)
		}
		s.held, s.pending = s.held+s.pending, 0
	}
	return nil
}

// lend makes the lease of an acquire that was admitted.
func (j *ideal) lend(r *run, path []pathBucket, now int64) {
	l := &idealLease{charged: now, root: r.entity, over: r.over}
	for _, g := range path {
		if g.entity == r.entity && len(g.view) > 0 && g.view[0].brought {
			l.pinned = g.view
		}
		l.hold(g, &j.buckets[g.entity], r.tokens, true)
	}
	j.granted(r, path, now, j.c.leases[r.id].Statuses())
	j.leases[r.id] = l
	j.consumed(r.id, l)
}

// granted compares what an admission says of the limits right after it.
func (j *ideal) granted(r *run, path []pathBucket, now int64, got []engine.LimitStatus) {
	var want []engine.LimitStatus
	for _, g := range path {
		idealLimits, _, _ := j.buckets[g.entity].as(g.view, g.stored, now)
		for _, v := range g.view {
			d := find(idealLimits, v.Name)
			want = append(want, engine.LimitStatus{
				Entity: entityName(g.entity), Resource: anyResource, Limit: v.Limit,
				Remaining: d.available(now), Requested: r.tokens[v.Name], ResetAfter: d.fullAfter(now),
			})
		}
	}
	if !slices.Equal(got, want) {
		j.c.fail("granted %+v, want %+v", got, want)
	}
}

// hold adds a charge to what the lease holds of one bucket. What it holds of an earlier life is gone.
func (l *idealLease) hold(g pathBucket, p *idealBucket, tokens engine.Tokens, first bool) {
	i := slices.IndexFunc(l.parts, func(p *idealPart) bool { return p.entity == g.entity })
	if i < 0 {
		i = len(l.parts)
		l.parts = append(l.parts, &idealPart{entity: g.entity, sums: map[string]*sums{}})
	}
	part := l.parts[i]
	part.begin(p.life)
	for _, d := range g.view {
		s := part.sums[d.Name]
		if s == nil {
			s = new(sums)
			part.sums[d.Name] = s
		}
		s.held += tokens[d.Name]
		if first {
			s.asked = tokens[d.Name]
		}
	}
	part.trim()
}

// trim leaves of what is pending to be refunded no more than is held: the rest has no effect.
func (p *idealPart) trim() {
	for _, s := range p.sums {
		if s.pending < -s.held {
			s.void, s.pending = s.void+s.pending+s.held, -s.held
		}
	}
}

// begin is for a charge to a life of the bucket.
func (p *idealPart) begin(life int) {
	if p.life == life {
		return
	}
	for _, s := range p.sums {
		s.gone, s.void, s.held = s.gone+s.held, s.void+s.held, 0
	}
	p.life = life
}

// consumed compares what the lease says it accounts for.
func (j *ideal) consumed(id int, l *idealLease) {
	want := engine.Tokens{}
	for _, p := range l.parts {
		for name, s := range p.sums {
			if n := s.gone + max(0, s.held+s.pending); p.entity == l.root && (n != 0 || s.asked != 0) {
				want[name] = n
			}
		}
	}
	if got := j.c.leases[id].Consumed(); !maps.Equal(got, want) {
		j.c.fail("consumed %v, want %v", got, want)
	}
}
