package sim

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// arrive lets requests come to a process at random, so many a second, until it crashes or the run ends.
func (f *fleet) arrive(p *process, perSecond float64) {
	if f.on > 0 {
		perSecond *= float64(f.on+f.off) / float64(f.on)
		if p.random.Float64()*float64(f.on+f.off) >= float64(f.on) && p.sleep(float64(f.off)) != nil {
			return
		}
	}
	for turn := p.turn(f.on); ; {
		if p.sleep(1e9/perSecond) != nil {
			return
		}
		if f.on > 0 && time.Now().After(turn) {
			if p.sleep(float64(f.off)) != nil {
				return
			}
			turn = p.turn(f.on)
			continue
		}
		n, of := f.need(p), 0
		if f.child != nil {
			of = 1 + p.random.IntN(childCount)
		}
		f.countArrival(n, of)
		f.running.Go(func() { f.ask(p, n, of) })
	}
}

// sleep waits for a random time with a mean, in ns. It returns an error if the process has crashed or the run has ended.
func (p *process) sleep(mean float64) error {
	return pause.For(p.crashed, time.Duration(p.random.ExpFloat64()*mean))
}

// turn draws when the process goes off.
func (p *process) turn(on time.Duration) time.Time {
	return time.Now().Add(time.Duration(p.random.ExpFloat64() * float64(on)))
}

// meanAmount is that of heavy-tailed amounts.
const meanAmount = 480

// need draws what a request consumes of each limit.
func (f *fleet) need(p *process) (amounts [2]int64) {
	amount := int64(1)
	if f.heavy { // lognormal
		x := math.Exp(math.Log(500) - 0.72 + 1.2*p.random.NormFloat64())
		amount = max(1, min(20_000, int64(x)))
	}
	if len(f.limits) == 2 {
		return [2]int64{1, amount}
	}
	return [2]int64{amount}
}

// request is one of the tenant or, if of is not 0, of a child.
func (f *fleet) request(n [2]int64, of int) engine.Request {
	q := engine.Request{Entity: "tenant", Resource: "api", Consume: make(engine.Tokens, len(f.limits))}
	if of > 0 {
		q.Entity = child(of - 1)
	}
	for i, l := range f.limits {
		q.Consume[l.Name] = n[i]
	}
	return q
}

// each calls yield with each account that a request concerns, and the request's amount.
func (f *fleet) each(n [2]int64, of int) func(yield func(*account, int64) bool) {
	return func(yield func(*account, int64) bool) {
		for i, a := range f.accounts[0] {
			if !yield(a, n[i]) {
				return
			}
		}
		if of > 0 {
			yield(f.accounts[of][0], n[0])
		}
	}
}

func (f *fleet) countArrival(n [2]int64, of int) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.measured.asked++
	for a, n := range f.each(n, of) {
		if !a.holds(n) {
			return
		}
	}
	for a, n := range f.each(n, of) {
		a.take(n)
	}
	f.measured.idealTokens += n[len(f.limits)-1]
}

// ask makes a request.
func (f *fleet) ask(p *process, n [2]int64, of int) {
	if f.refunds+f.charges > 0 {
		f.lease(p, n)
		return
	}
	d, err := p.limiter.Allow(f.t.Context(), f.request(n, of))
	f.countEnd(p, n, of, d.Allowed, err)
}

// countEnd counts the end of a request. A process that has crashed admits nobody.
func (f *fleet) countEnd(p *process, n [2]int64, of int, allowed bool, err error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case p.dead.Load():
	case err != nil:
		f.measured.failed++
		if f.lost == 0 {
			f.t.Errorf("%s, seed %d: %v", f.name, f.seed, err)
		}
	case allowed:
		f.measured.admitted++
		f.measured.tokens += n[len(f.limits)-1]
		for a, n := range f.each(n, of) {
			a.admit(n)
		}
	}
}

// lease acquires, and corrects the last limit after 2 s.
func (f *fleet) lease(p *process, n [2]int64) {
	lease, err := p.limiter.Acquire(f.t.Context(), f.request(n, 0))
	denied := errors.As(err, new(*engine.ExceededError))
	if denied {
		err = nil
	}
	f.countEnd(p, n, 0, lease != nil, err)
	if lease == nil || pause.For(f.t.Context(), 2*time.Second) != nil {
		return
	}
	last := len(f.limits) - 1
	delta := n[last] / 5
	f.lock.Lock()
	if f.random.Float64() < f.refunds {
		delta = -n[last] * 3 / 10
		f.accounts[0][last].admit(delta)
	}
	f.measured.corrected += delta
	f.lock.Unlock()
	f.must(lease.Adjust(engine.Tokens{f.limits[last].Name: delta}))
	f.must(lease.Commit(f.t.Context()))
}

// askAgain lets the cold process ask once a second, and again when its denial says.
func (f *fleet) askAgain(p *process) {
	for p.sleep(1e9) == nil {
		began := time.Now()
		for {
			d, err := p.limiter.Allow(f.t.Context(), f.request([2]int64{1}, 0))
			f.countEnd(p, [2]int64{1}, 0, d.Allowed, err)
			if d.Allowed || pause.For(p.crashed, d.RetryAfter+time.Microsecond) != nil {
				break
			}
		}
		f.lock.Lock()
		f.measured.coldWaits = append(f.measured.coldWaits, time.Since(began))
		f.lock.Unlock()
	}
}

// crashAndJoin lets one process crash each second, and another one join.
func (f *fleet) crashAndJoin() {
	for pause.For(f.ctx, 300*time.Millisecond) == nil {
		f.lock.Lock()
		alive := slices.DeleteFunc(slices.Clone(f.all), func(p *process) bool { return p.dead.Load() })
		p := alive[f.random.IntN(len(alive))]
		f.lock.Unlock()
		p.dead.Store(true)
		p.crash()
		if pause.For(f.ctx, 400*time.Millisecond) != nil {
			return
		}
		f.join(f.share(1))
		_ = pause.For(f.ctx, 300*time.Millisecond)
	}
}
