package pocket_test

import (
	"math"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

type kind uint8

const (
	atArrival kind = iota
	atStore
	atReply
	atTimer
	atSwitch // a process goes on or off
	atRetry
	atLeave
	atSettle
	atCrash
	atJoin
	atReset
	atSample
)

type event struct {
	at  int64
	seq int64
	p   *process
	h   *handle
	m   *message
	r   *request
	kind
	gen int
}

// events are a heap by time, first come first served at the same instant.
type events struct {
	heap []event
	seq  int64
}

func (q *events) less(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *events) add(e event) {
	q.seq++
	e.seq = q.seq
	q.heap = append(q.heap, e)
	for i := len(q.heap) - 1; i > 0 && q.less(i, (i-1)/2); i = (i - 1) / 2 {
		q.heap[i], q.heap[(i-1)/2] = q.heap[(i-1)/2], q.heap[i]
	}
}

func (q *events) next() event {
	first, last := q.heap[0], len(q.heap)-1
	q.heap[0], q.heap[last] = q.heap[last], event{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < last && q.less(child+1, child) {
			child++
		}
		if child >= last || !q.less(child, i) {
			return first
		}
		q.heap[i], q.heap[child] = q.heap[child], q.heap[i]
		i = child
	}
}

// meanAmount is that of the heavy-tailed amounts.
const meanAmount = 480

func newWorld(sc scenario, seed uint64) *world {
	w := &world{scenario: sc, seed: seed, now: start, r: rand.New(rand.NewPCG(seed, 1))}
	w.opts.Prefetch = !sc.exact
	for i := range 1 + sc.children {
		limits, level := sc.limits, sc.level
		if i > 0 {
			limits, level = sc.child, 1
		}
		s := newStored(limits, level, 1000)
		if sc.lost > 0 && !sc.forgets {
			s.heard = map[int64]bool{}
		}
		w.buckets = append(w.buckets, s)
	}
	total := sc.demand()
	for i := range sc.processes {
		lambda := total / float64(sc.processes)
		switch {
		case sc.hot > 0 && i == 0:
			lambda = total * sc.hot
		case sc.hot > 0:
			lambda = total * (1 - sc.hot) / float64(sc.processes-1)
		}
		w.join(lambda)
	}
	if sc.cold > 0 {
		w.join(sc.cold).id = -1
	}
	for t := sec; sc.joins && t < sc.length; t += sec {
		w.events.add(event{at: start + t + 300*ms, kind: atCrash})
		w.events.add(event{at: start + t + 700*ms, kind: atJoin})
	}
	if sc.resets > 0 {
		w.events.add(event{at: start + int64(sc.resets*w.r.ExpFloat64()*float64(sec)), kind: atReset})
	}
	w.events.add(event{at: start + 5*ms, kind: atSample})
	return w
}

// demand is how many requests a second all processes make.
func (sc *scenario) demand() float64 {
	rate := func(l bucket.Limit) float64 { return float64(l.RefillAmount) / l.RefillPeriod.Seconds() }
	total := sc.use * rate(sc.limits[len(sc.limits)-1])
	if sc.heavy {
		total /= meanAmount
	}
	if len(sc.limits) == 2 {
		total = min(total, sc.use*rate(sc.limits[0]))
	}
	if sc.ratchet {
		total = 10_000
	}
	return total
}

func (w *world) join(lambda float64) *process {
	p := &process{id: len(w.procs), up: true, on: true, lambda: lambda, handles: make([]*handle, len(w.buckets))}
	p.r = rand.New(rand.NewPCG(w.seed, uint64(len(w.procs))+2))
	p.skew = int64(p.r.NormFloat64() * w.skew * float64(ms))
	w.procs = append(w.procs, p)
	if w.on > 0 {
		p.lambda *= (w.on + w.off) / w.on
		p.on = p.r.Float64() < w.on/(w.on+w.off)
		w.switchLater(p)
	}
	w.arriveLater(p)
	return p
}

func (w *world) switchLater(p *process) {
	mean := w.off
	if p.on {
		mean = w.on
	}
	w.events.add(event{at: w.now + int64(p.r.ExpFloat64()*mean*float64(sec)), kind: atSwitch, p: p})
}

func (w *world) arriveLater(p *process) {
	if p.on && p.up && p.lambda > 0 && !w.quiet {
		w.events.add(event{at: w.now + int64(p.r.ExpFloat64()/p.lambda*float64(sec)), kind: atArrival, p: p, gen: p.gen})
	}
}

func (p *process) handle(w *world, k int) *handle {
	if p.handles[k] == nil {
		s := w.buckets[k]
		p.handles[k] = &handle{
			w: w, p: p, s: s, b: pocket.New(s.rates, w.opts), underWay: map[*pocket.Write]*flown{}, used: make([]int64, len(s.rates)), doubt: make([]int64, len(s.rates)),
		}
	}
	return p.handles[k]
}

// run lets the scenario pass.
func (w *world) run() {
	for len(w.events.heap) > 0 && w.events.heap[0].at <= start+w.length {
		e := w.events.next()
		w.now = e.at
		w.happen(e)
		if w.checks {
			w.conserves()
		}
	}
}

func (w *world) happen(e event) {
	switch e.kind {
	case atArrival:
		if e.p.up && e.p.on && e.gen == e.p.gen && !w.quiet {
			w.arrive(e.p)
			w.arriveLater(e.p)
		}
	case atStore:
		e.m.receive(e.m.h.s, w.now)
		w.events.add(event{at: w.now + e.m.back, kind: atReply, m: e.m})
	case atReply:
		if e.m.h.p.up {
			e.m.h.reply(e.m)
		}
	case atTimer:
		e.h.tick()
	case atSwitch:
		e.p.on = !e.p.on
		e.p.gen++
		w.switchLater(e.p)
		w.arriveLater(e.p)
	case atRetry:
		w.ask(e.r)
	case atLeave:
		w.leave(e.r)
	case atSettle:
		w.settle(e.r)
	case atCrash:
		if !w.quiet {
			w.crash()
		}
	case atJoin:
		w.join(w.demand() / float64(w.processes))
	case atReset:
		if w.quiet {
			return
		}
		w.buckets[0].reset()
		w.restarts++
		w.events.add(event{at: w.now + int64(w.resets*w.r.ExpFloat64()*float64(sec)), kind: atReset})
	case atSample:
		w.sample()
		w.events.add(event{at: w.now + 10*ms, kind: atSample})
	}
}

func (w *world) need(p *process) pocket.Tokens {
	amount := int64(1)
	if w.heavy { // lognormal
		x := math.Exp(math.Log(500) - 0.72 + 1.2*p.r.NormFloat64())
		amount = max(1, min(20_000, int64(x)))
	}
	if w.ratchet {
		if w.now > start+w.length*8/10 {
			return pocket.Tokens{0, 10}
		}
		return pocket.Tokens{1, 10}
	}
	if len(w.limits) == 2 {
		return pocket.Tokens{1, amount}
	}
	return pocket.Tokens{amount}
}

func (w *world) arrive(p *process) {
	r := &request{p: p, need: w.need(p), first: w.now, n: 1}
	r.parts[0].h = p.handle(w, 0)
	if w.children > 0 {
		r.parts[1].h = p.handle(w, 1+p.r.IntN(w.children))
		r.n = 2
	}
	for k := range r.n {
		x := &r.parts[k]
		x.r, x.Need, x.Tag = r, r.need, x
	}
	w.countArrival(r)
	w.ask(r)
}

// ask asks all buckets of the request; those of which one would deny from memory are not asked.
func (w *world) ask(r *request) {
	if !r.p.up {
		return
	}
	r.asked, r.denied, r.failed, r.waited, r.until, r.waiting = w.now, false, false, false, w.now, 1
	for k := range r.n {
		x := &r.parts[k]
		if until, denied := x.h.b.Denies(x.h.clock(), r.need); r.n > 1 && denied {
			r.denied, r.until = true, max(r.until, until-x.h.p.skew)
		}
	}
	for k := 0; k < r.n && !(r.n > 1 && r.denied); k++ {
		x := &r.parts[k]
		step := x.h.b.Ask(x.h.clock(), &x.Caller)
		switch x.Verdict {
		case pocket.Admitted:
			x.h.mayHold()
			x.admitted()
			x.fromPocket()
		case pocket.Pending:
			r.waiting++
			r.waited = true
			if w.leaves > 0 && w.r.Float64() < w.leaves {
				w.events.add(event{at: w.now + w.r.Int64N(20*ms), kind: atLeave, r: r})
			}
		default:
			r.denied, r.until = true, max(r.until, x.Until-x.h.p.skew)
		}
		x.h.do(step)
	}
	if r.waiting--; r.waiting == 0 {
		w.finish(r)
	}
}

// leave ends the caller's context.
func (w *world) leave(r *request) {
	if r.waiting == 0 || !r.p.up || r.asked+20*ms < w.now {
		return
	}
	for k := range r.n {
		if x := &r.parts[k]; x.Verdict == pocket.Pending {
			x.h.b.Leave(x.h.clock(), &x.Caller)
			x.Verdict = pocket.Closed
			x.h.arm()
			r.waiting--
		}
	}
	r.denied, r.failed, r.left = true, true, true
	w.finish(r)
}

// finish refunds the buckets of a request that was denied by another one.
func (w *world) finish(r *request) {
	for k := 0; k < r.n && r.denied; k++ {
		if x := &r.parts[k]; x.Verdict == pocket.Admitted {
			x.refund()
			x.Verdict = pocket.Pending
		}
	}
	w.countEnd(r)
	switch u := r.p.r.Float64(); {
	case r.denied:
		if r.p.id == -1 && r.tries < 200 {
			r.tries++
			r.p.open++
			w.events.add(event{at: max(r.until, w.now) + 1000, kind: atRetry, r: r})
		}
	case u < w.refunds+w.charges:
		r.left = u >= w.refunds
		w.events.add(event{at: w.now + 2*sec, kind: atSettle, r: r})
	}
}

// settle corrects a lease.
func (w *world) settle(r *request) {
	x, last := &r.parts[0], len(w.limits)-1
	if !r.p.up {
		return
	}
	delta := make(pocket.Tokens, len(w.limits))
	if delta[last] = -(r.need[last] * 3 / 10); r.left {
		delta[last] = r.need[last] / 5
	}
	if x.h.b.Settle(x.h.clock(), delta, x.Born) {
		x.h.handed += delta[last]
		if delta[last] < 0 && !r.left {
			x.h.refunded(last, -delta[last])
			w.refunded -= float64(delta[last])
		}
		x.h.used[last] += delta[last]
	}
	x.h.arm()
}

func (w *world) crash() {
	var up []*process
	for _, p := range w.procs {
		if p.up && p.id >= 0 {
			up = append(up, p)
		}
	}
	if len(up) < 2 {
		return
	}
	p := up[w.r.IntN(len(up))]
	p.up = false
	w.crashes++
	for _, h := range p.handles {
		if h != nil {
			w.crashed += h.b.Assets() + h.inFlight()
		}
	}
}

// inFlight is what the process has put into writes under way, and the record was charged for them.
func (h *handle) inFlight() (n int64) {
	for _, f := range h.underWay {
		n += f.put + f.truth
	}
	return n
}
