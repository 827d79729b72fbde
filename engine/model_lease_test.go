package engine_test

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

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
	path := j.ladder(l.root, l.pinned, l.over)
	if j.gate(r, o, path, now, false) && !nothing(r.tokens) {
		for _, g := range path {
			l.hold(g, &j.pails[g.entity], r.tokens, false)
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
			if sum := s.held + s.pending + d; sum < 0 || sum > bucket.MaxDebt || d > bucket.MaxDebt || d < -bucket.MaxDebt || s.pending+d > bucket.MaxDebt {
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
			s.pending = -s.held
		}
	}
	if j.expect(o, j.settle(l, now)) {
		l.state = ended
	}
}

// settle writes what is pending.
func (j *ideal) settle(l *idealLease, now int64) (err error) {
	for _, p := range l.parts {
		if now-l.charged > int64(time.Hour) {
			p.voidDowns()
		}
		if e := j.settlePart(p, now); e != nil {
			err = e
		}
	}
	return err
}

// voidDowns ends give-backs that nobody takes: what would have gone back stays consumed.
func (p *idealPart) voidDowns() {
	for _, s := range p.sums {
		if s.pending < 0 {
			s.gone, s.held, s.pending = s.gone-s.pending, s.held+s.pending, 0
		}
	}
}

func (j *ideal) settlePart(p *idealPart, now int64) error {
	b := &j.pails[p.entity]
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
			b.drips = append(b.drips, drip{Limit: t.Limit, brought: t.Brought})
		}
		if !r.Present() {
			return engine.ErrOutOfRange
		}
		b.create(b.drips)
	}
	for name, s := range p.sums {
		if d := find(b.drips, name); b.there && d == nil { // a limit that is no more
			if s.pending < 0 {
				s.gone, s.held = s.gone-s.pending, s.held+s.pending
			}
			s.pending = 0
		} else if s.pending > 0 && d.tooDeep(now, s.pending) {
			return engine.ErrOutOfRange
		}
	}
	if ups {
		p.begin(b.life)
	}
	for name, s := range p.sums {
		if d := find(b.drips, name); s.pending > 0 {
			d.take(now, s.pending)
		} else if s.pending < 0 {
			d.give(now, -s.pending)
		}
		s.held, s.pending = s.held+s.pending, 0
	}
	return nil
}
