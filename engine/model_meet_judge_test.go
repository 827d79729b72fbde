package engine_test

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// version is a bucket's record at some time.
type version struct {
	at    time.Time
	place int // in the order of all versions
	terms []schema.Term
	tats  [2]bucket.Arrival
}

// remember keeps the record of a bucket as it is now, and shows it to the calls that are under way.
func (h *hall) remember(b int) {
	h.versions++
	now := version{at: h.time(), place: h.versions, terms: h.terms(&h.seen[b])}
	for i := range min(len(now.terms), len(now.tats)) {
		now.tats[i].At, now.tats[i].Seen = h.seen[b].Num(schema.Tat(i))
	}
	h.past[b] = append(h.past[b], now)
	if n := len(h.past[b]); n > 64 {
		h.past[b] = slices.Clone(h.past[b][n-32:])
	}
	for _, v := range h.visits {
		if v.takes() && slices.Contains(v.path, b) {
			h.lower(&v.least[b], v, &now)
		}
	}
}

// lower lowers least to what the version leaves for a call: when it began, or for Wait when its context ends.
func (h *hall) lower(least *[2]int64, v *visit, x *version) {
	at := v.begun
	if v.do == callWait && !v.deadline.IsZero() {
		at = v.deadline
	}
	clock := at.Add(aGeneration + h.ahead[v.proc]).UnixNano()
	for i := range min(len(x.terms), len(least)) {
		rate := x.terms[i].Rate()
		least[i] = min(least[i], rate.Available(x.tats[i], rate.Y(clock)))
	}
}

// leastBefore is the least that a call may find in a bucket: as it is when the call begins, or was within the time for which
// denials are repeated from memory. What was before a reset by its own process counts no more.
func (h *hall) leastBefore(v *visit, b int) [2]int64 {
	least, since := [2]int64{math.MaxInt64, math.MaxInt64}, v.begun.Add(-time.Second)
	if h.slow || h.faults {
		since = since.Add(-2 * time.Second)
	}
	for k := len(h.past[b]) - 1; k >= 0; k-- {
		h.lower(&least, v, &h.past[b][k])
		if h.past[b][k].at.Before(since) || h.past[b][k].place <= h.procs[v.proc].floor[b] {
			break
		}
	}
	return least
}

// checkDenial demands that some order of the callers explains a denial: that others have taken the tokens, or callers of the
// same process that came at the same time.
func (h *hall) checkDenial(v *visit, o *outcome) {
	hot := !h.throttledAt.IsZero() && h.time().Sub(h.throttledAt) < 3*time.Second
	ended := !v.ended.IsZero() || !v.deadline.IsZero() && !h.time().Before(v.deadline)
	if h.prefetches(v.proc) || h.changes || hot || ended {
		return
	}
	for i, l := range h.palette[0] {
		if v.tokens[i] > l.Capacity {
			return
		}
		for _, b := range v.path {
			mayDeny := v.do != callWait || !v.deadline.IsZero()
			if mayDeny && h.least(v, b, i)-v.crowd[b][i] < v.tokens[i] {
				return
			}
		}
	}
	h.fail("visit %d (%v) is denied (%v), but at least %v were available, and %v were asked for at the same time", v.id, v.move, o, v.least, v.crowd)
}

func (h *hall) least(v *visit, b, i int) int64 {
	return min(v.least[b][i], h.palette[0][i].Capacity)
}

// configuration is what is stored at some time: the limits of each entity, nil if there are none, and those of the resource, which
// count for the others.
type configuration struct {
	own      [3][]engine.Limit
	resource []engine.Limit
}

func (c *configuration) of(e int) []engine.Limit {
	if c.own[e] != nil {
		return c.own[e]
	}
	return c.resource
}

// reconfigured notes what a process has stored.
func (h *hall) reconfigured(p *party) {
	const ns = engine.DefaultNamespace
	var now configuration
	for e := range now.own {
		key, _ := schema.EntityLimits(ns, entityName(e), anyResource)
		now.own[e] = h.storedAt(key)
	}
	key, _ := schema.Resource(ns, anyResource)
	now.resource = h.storedAt(key)
	h.stored = append(h.stored, now)
	for e := range now.own {
		if last := len(h.stored) - 1; last > 0 && !slices.Equal(now.of(e), h.stored[last-1].of(e)) {
			p.own[e] = last
		}
	}
}

func (h *hall) storedAt(key backend.Key) (limits []engine.Limit) {
	if packed, ok := h.read(key).Text(schema.ConfigLimits); ok {
		for _, t := range h.unpacked(packed) {
			limits = append(limits, t.Limit)
		}
	}
	return limits
}

// checkConfiguration demands that a process goes by what it has stored, or by what was stored when it refreshed, or by something
// later. Changes by others may be seen in any order.
func (h *hall) checkConfiguration(v *visit, o *outcome) {
	if !h.changes || !v.takes() || v.do == callConsume || o.err != nil || h.faults || h.slow {
		return
	}
	for _, s := range o.statuses {
		e, known := int(s.Entity[1]-'0'), false
		for i := v.known[e]; i < len(h.stored); i++ {
			known = known || slices.Contains(h.stored[i].own[e], s.Limit) ||
				h.stored[v.known[e]].own[e] == nil && slices.Contains(h.stored[i].resource, s.Limit)
		}
		if !known {
			h.fail("visit %d: p%d goes by %v for e%d; since %d, %v are stored", v.id, v.proc, s.Limit, e, v.known[e], h.stored[v.known[e]:])
		}
	}
}

// finish lets all calls end, and looks at what is left.
func (h *hall) finish() {
	for _, v := range slices.Clone(h.visits) {
		if h.procs[v.proc].dead {
			h.leave(v)
		}
	}
	for d := 50 * time.Millisecond; len(h.visits) > 0 && !h.failed() && d < 1000*time.Hour; d += d / 4 {
		h.pass(d, false)
		h.rest()
	}
	for _, v := range slices.Clone(h.visits) {
		if !h.procs[v.proc].dead {
			h.fail("visit %d (%v) never returns", v.id, v.move)
		}
		h.leave(v)
	}
	if !h.failed() {
		h.pass(h.reserved()+15*time.Second, false) // slots that nobody takes are refunded when they are due
		h.checkQuiet("when all is quiet")
	}
	if !h.failed() && h.changes && !h.faults && !h.slow {
		h.follow()
	}
	if !h.failed() {
		h.takeAll()
	}
	for i := range h.procs {
		h.close(i)
	}
	h.pass(5*time.Second, false)
	for i, p := range h.procs {
		if p.dead {
			p.Close()
		} else if !p.closed {
			h.fail("p%d: Close does not return", i)
		}
	}
	h.pass(5*time.Second, false)
	if !h.failed() {
		h.checkQuiet("after the end")
	}
}

// follow lets processes ask until they have looked for changes, and demands that they go by what is stored then.
func (h *hall) follow() {
	for round := range 3 {
		for i, p := range h.procs {
			if p.closing || p.dead {
				continue
			}
			if round == 2 {
				p.known = [3]int{len(h.stored) - 1, len(h.stored) - 1, len(h.stored) - 1}
			}
			h.count++
			h.call(move{do: callAllow, proc: i, tokens: [2]int64{1}})
			h.rest()
		}
		h.pass(1100*time.Millisecond, false)
	}
}

// checkQuiet compares the books: nothing is under way.
func (h *hall) checkQuiet(when string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, p := range h.procs {
		for b := range h.seen {
			if !p.dead && h.seen[b].Present() {
				h.checkBalance(when, i, b)
			}
		}
	}
}

func (h *hall) checkBalance(when string, i, b int) {
	p := h.procs[i]
	born, _ := h.seen[b].Num(schema.Born)
	t, d := h.books(i, b, h.lifeOf(b, born)), &p.doubt[b]
	undone := h.resets[b] > 0 && (h.leases || h.waits || h.leaves || h.cascade)
	for k := range h.palette[0] {
		if diff := t.charged[k] - t.handed[k] - p.forced[b][k]; !undone && (diff > d.up[k] || diff < -d.down[k]) {
			h.fail("%s p%d has charged %d of %s of e%d, handed out %d, and used %d beyond; in doubt: %d, %d",
				when, i, t.charged[k], names[k], b, t.handed[k], p.forced[b][k], d.up[k], d.down[k])
		}
		want := p.forced[b][k]
		for key, t := range h.tallies {
			if key.proc == i && key.bucket == b {
				want += t.handed[k]
			}
		}
		if diff := abs(p.used[b][k] - want); !undone && diff > d.used[k] {
			h.fail("%s p%d has counted %d of %s of e%d as used, want %d; in doubt: %d", when, i, p.used[b][k], names[k], b, want, d.used[k])
		}
	}
	diff := p.acquires[b] - p.admitted[b]
	if !undone && abs(diff) > d.acquires {
		h.fail("%s p%d has counted %d acquires of e%d, want %d; in doubt: %d", when, i, p.acquires[b], b, p.admitted[b], d.acquires)
	}
}

// takeAll lets another process take all that is left.
func (h *hall) takeAll() {
	ctx := context.Background()
	l, err := engine.New(h.inner, &engine.Options{Now: func() time.Time { return time.Now().Add(aGeneration + h.skew) }})
	if err != nil {
		h.fail("%v", err)
		return
	}
	defer l.Close()
	for e := range 3 {
		if !h.seen[e].Present() {
			continue
		}
		q := engine.Request{Entity: entityName(e), Resource: anyResource, Consume: engine.Tokens{}}
		if !h.gathering.stored {
			q.Limits = h.palette[0]
		}
		statuses, err := l.Available(ctx, q.Entity, anyResource, q.Limits...)
		if err != nil {
			h.fail("%v", err)
		}
		for _, s := range statuses {
			n, known := q.Consume[s.Limit.Name]
			if n = max(0, min(s.Remaining, s.Limit.Capacity, map[bool]int64{true: n, false: math.MaxInt64}[known])); s.Remaining < 0 {
				return // in debt
			}
			q.Consume[s.Limit.Name] = n
		}
		if d, err := l.Allow(ctx, q); err != nil || !d.Allowed {
			h.fail("another process gets %v, %v of %v of e%d, which are available", d, err, q.Consume, e)
		}
	}
}
