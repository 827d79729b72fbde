package engine_test

import (
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// tallyKey names what one process has done in one life of a bucket.
type tallyKey struct{ proc, bucket, life int }

// tally is what a process has charged, and what it has handed out: to callers that were admitted, less what their leases refund.
type tally struct{ charged, handed [2]int64 }

// doubt is by how much the books of a process and a bucket may differ, because the outcome of writes is unknown to it.
type doubt struct {
	up, down, used [2]int64
	acquires       int64
}

// books are the books of a process and a life of a bucket.
func (h *hall) books(p, b, life int) *tally {
	k := tallyKey{p, b, life}
	t := h.tallies[k]
	if t == nil {
		t = new(tally)
		h.tallies[k] = t
	}
	return t
}

// checkBooks demands that nothing is handed out that was not charged before.
func (h *hall) checkBooks(p, b, life int) {
	t := h.books(p, b, life)
	for i := range t.charged {
		if t.charged[i] < t.handed[i] && !h.procs[p].dead {
			h.fail("p%d has handed out %d of %s of e%d in life %d, and charged %d", p, t.handed[i], names[i], b, life, t.charged[i])
		}
	}
}

// handOut books an admission. Its tokens are of some life of each bucket that the process saw while the call was under way.
func (h *hall) handOut(v *visit, o *outcome) {
	p := h.procs[v.proc]
	l := v.loan
	if l == nil {
		l = &loan{proc: v.proc, path: v.path}
		if o.lease != nil {
			l.Lease = o.lease.Lease
			h.loans = append(h.loans, l)
		}
	}
	for _, b := range v.path {
		if l.life[b] == 0 || v.life[b] > l.life[b] { // what it held is of a life that is over
			l.first[b], l.held[b] = max(1, v.life[b]), [2]int64{}
		}
		l.life[b] = p.life[b]
		for i, n := range h.asked(v) {
			h.handFrom(v, b, i, n)
			l.held[b][i] += n
			h.admit(v, b, i, n)
			p.recent[b][i] = append(p.recent[b][i], grant{n, h.time().Add(pocketsAge)})
		}
		if v.do != callConsume && h.asked(v) != [2]int64{} { // a request of zeros is decided by reading
			p.admitted[b]++
		}
	}
}

// asked is what a call asks for, of the limits that there are.
func (h *hall) asked(v *visit) (tokens [2]int64) {
	copy(tokens[:], v.tokens[:len(h.palette[0])])
	return tokens
}

// handFrom hands out n tokens of what the process has charged in the lives of a bucket that it saw while the call was under way.
// Nobody can tell from which of them: from the oldest.
func (h *hall) handFrom(v *visit, b, i int, n int64) {
	p, left := h.procs[v.proc], n
	for life := max(1, v.life[b]); life <= max(1, p.life[b]); life++ {
		t := h.books(v.proc, b, life)
		some := max(0, min(left, t.charged[i]-t.handed[i]))
		t.handed[i] += some
		if left -= some; life != p.life[b] {
			p.doubt[b].up[i] += some
		}
	}
	if left > 0 {
		h.fail("visit %d: p%d hands out %d of %s of e%d, %d more than it has charged in life %d and those after: %+v",
			v.id, v.proc, n, names[i], b, left, v.life[b], *h.books(v.proc, b, p.life[b]))
	}
}

// pocketsAge is for how long admissions allow a process to hold tokens: a pocket holds four fifths of those of the last second before
// it was bought, and goes back a second after the last request.
const pocketsAge = 2200 * time.Millisecond

// checkPocket demands that a process has bought no more in advance than that. Nothing of it is under way, and nothing else waits.
func (h *hall) checkPocket(proc, b int) {
	p := h.procs[proc]
	for i := range h.palette[0] {
		held, recent := -p.doubt[b].up[i], int64(0) // what it has refunded to a full bucket, if anything
		for life := 1; life <= len(h.lives[b]); life++ {
			t := h.books(proc, b, life)
			held += t.charged[i] - t.handed[i]
		}
		p.recent[b][i] = slices.DeleteFunc(p.recent[b][i], func(g grant) bool { return h.time().After(g.until) })
		for _, g := range p.recent[b][i] {
			recent += g.tokens
		}
		if held*5 > recent*4 {
			h.fail("p%d has bought %d of %s of e%d in advance, and handed out %d of late", proc, held, names[i], b, recent)
		}
	}
}

// checkPockets looks at processes that have only calls which ask.
func (h *hall) checkPockets() {
	if h.leases || h.waits || h.leaves || h.faults || h.slow || h.cascade || h.changes || h.gathering.resets || h.closes {
		return
	}
	for i, p := range h.procs {
		under := slices.ContainsFunc(h.calls, func(c *storeCall) bool { return c.proc == i })
		if !under && !p.dead && h.prefetches(i) {
			h.checkPocket(i, 0)
		}
	}
}

// startSettling books what a call refunds: as soon as it begins, because others may get it from then on.
func (h *hall) startSettling(v *visit) {
	l := v.loan
	if l == nil || l.over || v.do < callRelease {
		return
	}
	for _, b := range l.path {
		for i := range v.back[b] {
			n := -l.due(h, v)[i]
			if v.do == callRollback {
				n = l.held[b][i]
			}
			n = max(0, min(n, l.held[b][i]))
			v.back[b][i] = n
			h.takeBack(l, b, i, n)
		}
		h.refund(b, v.back[b])
	}
}

// takeBack books a refund in each life that may be that of the lease.
func (h *hall) takeBack(l *loan, b, i int, n int64) {
	for life := l.first[b]; life <= l.life[b]; life++ {
		h.books(l.proc, b, life).handed[i] -= n
	}
}

// settled books a call that has settled a lease.
func (h *hall) settled(v *visit, o *outcome) {
	l := v.loan
	if l.over {
		return
	}
	certain := o.err == nil || v.do == callRelease && !isTrouble(o.err)
	for _, b := range l.path {
		due, last, d := l.due(h, v), h.procs[v.proc].life[b], &h.procs[v.proc].doubt[b]
		if v.do == callRollback {
			due = [2]int64{}
		}
		if o.err == nil && max(due[0], due[1]) > 0 && l.life[b] != last { // the bucket has a record of another life; refunds to the life that is over are void
			l.first[b], l.life[b], l.held[b], v.back[b] = last, last, [2]int64{}, [2]int64{}
		}
		for i, back := range v.back[b] {
			up := max(0, due[i])
			switch {
			case o.err == nil:
				h.procs[v.proc].forced[b][i] += up
				l.held[b][i] += up - back
			case certain:
				h.takeBack(l, b, i, -back)
			default:
				d.up[i], d.down[i], d.used[i] = d.up[i]+back+up, d.down[i]+up, d.used[i]+back+up
			}
		}
	}
	if !certain || o.err == nil {
		l.pending = [2]int64{}
	}
	l.over = l.over || !certain || v.do == callCommit || v.do == callRollback
	if !certain { // nobody can tell what it holds
		h.loans = slices.DeleteFunc(h.loans, func(x *loan) bool { return x == l })
	}
}

// due is what a call that settles a lease moves, unless it rolls back.
func (l *loan) due(h *hall, v *visit) [2]int64 {
	due := l.pending
	if v.do == callRelease {
		for i, n := range h.asked(v) {
			due[i] -= n
		}
	}
	return due
}

// isTrouble reports whether a settlement may have been made although it failed.
func isTrouble(err error) bool {
	for _, trouble := range []error{engine.ErrUnavailable, engine.ErrContention, engine.ErrClosed, backend.ErrOutcomeUnknown} {
		if errors.Is(err, trouble) {
			return true
		}
	}
	return false
}

// doubt notes a write whose outcome its process does not know.
func (h *hall) doubt(c *storeCall) {
	for k := range c.writes {
		w := &c.writes[k]
		if w.Layout != schema.BucketLayout || c.outs == nil {
			continue
		}
		b := entityOf(w.Key)
		d, x := &h.procs[c.proc].doubt[b], c.delta
		if x == (delta{}) { // it was not carried out, or was refused, which its process does not know
			x = h.foresee(b, w)
		}
		beside := int64(0) // beside what it takes it may refund more than that
		for i := range x.moved {
			if t := h.books(c.proc, b, h.procs[c.proc].life[b]); refundsSome(w) {
				beside = max(0, t.charged[i]-t.handed[i])
			}
			d.up[i] += abs(x.moved[i]) + beside
			d.down[i] += max(0, x.moved[i])
			d.used[i] += abs(x.used[i]) + beside
		}
		if d.acquires += abs(x.acquires); refundsSome(w) {
			d.acquires += mostVisits
		}
	}
}

func abs(n int64) int64 { return max(n, -n) }

// witness hears what a process reports.
type witness struct {
	*hall
	proc int
}

// Observe implements [engine.Observer].
func (w witness) Observe(e engine.Event) {
	if e.Kind != engine.EventRefundLost {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say("p%d reports %v of %s as lost: %v", w.proc, e.Tokens, e.Entity, e.Err)
	if !(w.faults || w.slow || w.crashes || w.gathering.resets || w.changes || w.closes || w.leaves) {
		w.fail("p%d reports %v of %s as lost: %v", w.proc, e.Tokens, e.Entity, e.Err)
	}
	d := &w.procs[w.proc].doubt[int(e.Entity[1]-'0')]
	for name, n := range e.Tokens {
		i := nameIndex(name)
		d.up[i], d.used[i] = d.up[i]+n, d.used[i]+n
	}
	d.acquires++
}

// allowance is an interval, with tokens that may be admitted beyond its bound, each until some instant.
type allowance struct {
	interval
	beyond int64
	grants []grant
}

type grant struct {
	tokens int64
	until  time.Time
}

// openBounds sets what intervals may have beyond capacity and rate: PREFETCH.md 5, and the time from charge to admission, which
// is nothing where replies come at once.
func (h *hall) openBounds() {
	slack := h.skew
	if h.prefetch != 0 {
		slack += time.Second
	}
	if h.slow || h.faults {
		slack += 2 * time.Second
	} else if h.cascade {
		slack += time.Second
	}
	if h.waits { // due times are rounded up
		slack++
	}
	if h.waits && (h.cascade || len(h.palette[0]) > 1) {
		slack += 100 * time.Millisecond
	}
	for b := range h.bounds {
		for i := range h.palette[0] {
			h.bounds[b][i].interval = newInterval(names[i], h.palette, int64(slack), h.began.UnixNano())
		}
	}
}

// admit counts tokens that are handed out now.
func (h *hall) admit(v *visit, b, i int, n int64) {
	if i >= len(h.palette[0]) {
		return
	}
	a := &h.bounds[b][i]
	a.expire(h.time())
	a.interval.admit(h.time().UnixNano(), n)
	most := new(big.Int).Mul(big.NewInt(a.beyond), a.period)
	if over := new(big.Int).Sub(a.excess, most.Add(most, a.most)); over.Sign() > 0 {
		h.fail("visit %d: more of %s of e%d admitted in some interval than capacity and rate allow, by %v/%v", v.id, names[i], b, over, a.period)
	}
}

// expire makes grants whose time is over what intervals that end later may have.
func (a *allowance) expire(now time.Time) {
	a.grants = slices.DeleteFunc(a.grants, func(g grant) bool {
		if now.Before(g.until) {
			return false
		}
		a.pass(g.until.UnixNano())
		a.allow(new(big.Int).Mul(big.NewInt(g.tokens), a.period))
		a.beyond -= g.tokens
		return true
	})
}

// refund counts tokens that a call begins to refund. Where that takes time, nobody knows from when on others can have them; else
// all that happens at one instant is in the same intervals.
func (h *hall) refund(b int, tokens [2]int64) {
	while := time.Nanosecond
	if h.prefetch != 0 || h.slow || h.faults || h.gathering.procs > 1 {
		while = 4 * time.Second
	}
	if h.waits { // others who have reserved before are due when they are
		while += h.reserved()
	}
	for i := range h.palette[0] {
		a := &h.bounds[b][i]
		a.expire(h.time())
		a.interval.admit(h.time().UnixNano(), -tokens[i])
		a.allow(new(big.Int))
	}
	h.grant([]int{b}, tokens, while)
}

// grant lets intervals have more tokens until a while has passed.
func (h *hall) grant(path []int, tokens [2]int64, d time.Duration) {
	for _, b := range path {
		for i := range h.palette[0] {
			a := &h.bounds[b][i]
			a.beyond += tokens[i]
			a.grants = append(a.grants, grant{tokens[i], h.time().Add(d)})
		}
	}
}

// reserved is how far ahead tokens are reserved.
func (h *hall) reserved() time.Duration {
	if h.reserve == 0 {
		return time.Minute
	}
	return max(0, h.reserve)
}

// wasReset grants a capacity, and what is reserved.
func (h *hall) wasReset(b int) {
	h.resets[b]++
	h.grant([]int{b}, h.most(h.reserved()), h.reserved()+2*time.Second)
}

// wasConverted grants a capacity.
func (h *hall) wasConverted(b int, before, after []schema.Term) {
	h.changed[b] = true
	h.grant([]int{b}, h.most(h.reserved()), h.reserved()+2*time.Second)
}

// most is the largest capacity of each limit, and what refills in some time.
func (h *hall) most(d time.Duration) (tokens [2]int64) {
	for _, limits := range h.palette {
		for i, l := range limits {
			tokens[i] = max(tokens[i], l.Capacity+1+int64(d.Seconds()*float64(l.RefillAmount)/l.RefillPeriod.Seconds()))
		}
	}
	return tokens
}
