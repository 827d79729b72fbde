package engine_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// call begins a visit.
func (h *hall) call(m move) {
	h.mu.Lock()
	v := &visit{move: m, id: h.count, begun: h.time()}
	if m.do >= callConsume && m.do <= callRollback {
		if v.loan = h.loan(m.pick); v.loan == nil {
			h.mu.Unlock()
			return
		}
		v.proc, v.loan.busy, v.path = v.loan.proc, true, v.loan.path
	} else {
		v.path = []int{m.entity}
		if h.cascade && m.entity < 2 {
			v.path = append(v.path, 2)
		}
	}
	p := h.procs[v.proc]
	if v.do == callReset {
		p.reset[v.path[0]] = true
	}
	v.life, v.known, v.latest, v.closing = p.sold, p.known, len(h.stored)-1, p.closing
	if m.do == callWait { // a reset leaves slots valid, and they pass to others
		v.life = [3]int{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	if m.do == callWait && m.d > 0 {
		v.deadline = v.begun.Add(m.d)
		ctx, cancel = context.WithDeadline(context.Background(), v.deadline)
	}
	v.cancel = cancel
	h.enter(v)
	h.mu.Unlock()
	go func() {
		o := h.visit(ctx, v)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.over(v, o)
	}()
}

// visit makes the call.
func (h *hall) visit(ctx context.Context, v *visit) *outcome {
	defer v.cancel()
	p, o, tokens := h.procs[v.proc], new(outcome), h.named(v.tokens, len(h.palette[0]))
	q := engine.Request{Entity: entityName(v.entity), Resource: anyResource, Consume: tokens}
	if !h.gathering.stored {
		q.Limits = h.palette[0]
	}
	lent := func(l *engine.Lease, err error) *outcome {
		if o.read(err); err == nil {
			o.lease = &held{Lease: l}
			o.statuses = l.Statuses()
		}
		return o
	}
	switch v.do {
	case callAcquire:
		return lent(p.Acquire(ctx, q))
	case callWait:
		return lent(p.Wait(ctx, q))
	case callAllow:
		d, err := p.Allow(ctx, q)
		o.admitted, o.err, o.retry, o.statuses = d.Allowed, err, d.RetryAfter, d.Statuses()
		return o
	case callInspect:
		o.statuses, o.err = p.Available(ctx, q.Entity, anyResource, q.Limits...)
		return o
	case callSet:
		if v.pick%2 == 0 {
			return told(p.SetLimits(ctx, q.Entity, anyResource, h.palette[v.plan]))
		}
		return told(p.SetResourceDefaults(ctx, anyResource, h.palette[v.plan]))
	case callReset:
		return told(p.ResetBucket(ctx, q.Entity, anyResource))
	case callRefresh:
		return told(p.Refresh(ctx))
	}
	return h.useLoan(ctx, v, tokens)
}

func (h *hall) useLoan(ctx context.Context, v *visit, tokens engine.Tokens) *outcome {
	switch l := v.loan; v.do {
	case callConsume:
		o := new(outcome)
		o.read(l.Consume(ctx, tokens))
		return o
	case callRelease:
		return told(l.Release(ctx, tokens))
	case callFlush:
		return told(l.Flush(ctx))
	case callCommit:
		return told(l.Commit(ctx))
	}
	return told(v.loan.Rollback(ctx))
}

func (v *visit) takes() bool { return v.do <= callConsume }

// enter notes a call that begins.
func (h *hall) enter(v *visit) {
	h.say("visit %d: %v", v.id, v.move)
	if v.takes() {
		for _, b := range v.path {
			v.least[b] = h.leastBefore(v, b)
		}
		for _, u := range h.visits {
			if u.proc == v.proc && u.takes() {
				h.meet(u, v)
			}
		}
	}
	h.visits = append(h.visits, v)
	h.startSettling(v)
}

// meet notes that two calls of a process are under way at the same time.
func (h *hall) meet(u, v *visit) {
	for _, b := range u.path {
		if slices.Contains(v.path, b) {
			for i := range u.tokens {
				u.crowd[b][i] += v.tokens[i]
				v.crowd[b][i] += u.tokens[i]
			}
		}
	}
}

// over judges a call that has returned.
func (h *hall) over(v *visit, o *outcome) {
	h.visits = slices.DeleteFunc(h.visits, func(u *visit) bool { return u == v })
	h.say("visit %d -> %v", v.id, o)
	p := h.procs[v.proc]
	if v.loan != nil {
		v.loan.busy = false
	}
	if p.dead {
		return
	}
	for _, s := range o.statuses {
		if s.Remaining > s.Limit.Capacity {
			h.fail("visit %d: %d of %v available", v.id, s.Remaining, s.Limit)
		}
	}
	h.checkError(v, o)
	h.checkConfiguration(v, o)
	switch {
	case v.takes() && o.admitted:
		h.handOut(v, o)
	case v.takes() && o.err == nil:
		h.checkDenial(v, o)
	case v.do >= callRelease && v.do <= callRollback:
		h.settled(v, o)
	case v.do == callReset && o.err == nil:
		p.floor[v.entity] = p.cleared[v.entity]
	case v.do == callSet && o.err == nil:
		if !slices.ContainsFunc(h.visits, func(u *visit) bool { return u.do == callSet && u.proc == v.proc }) {
			for e := range p.known {
				p.known[e] = max(p.known[e], p.own[e])
			}
		}
	case v.do == callSet: // it may have been made, but its process does not know that
		p.own = p.known
	case v.do == callRefresh && o.err == nil:
		for e := range p.known {
			p.known[e] = max(p.known[e], v.latest)
		}
	}
	if v.takes() && !o.admitted {
		h.ungiven(v, o)
	}
	if v.do == callWait && !o.admitted { // its slot is refunded when it is due, and who has reserved by then is due later
		h.grant(v.path, v.tokens, 2*h.reserved()+2*time.Second)
	}
}

// ungiven notes that a call was not admitted. What it may have been charged is refunded soon, or lost where that is not certain.
func (h *hall) ungiven(v *visit, o *outcome) {
	trouble, while := h.faults || h.slow, 200*time.Millisecond
	if trouble || h.prefetch != 0 {
		while = 4 * time.Second
	}
	if h.waits { // others who have reserved before are due when they are
		while += h.reserved()
	}
	if o.err != nil || len(v.path) > 1 {
		h.grant(v.path, h.asked(v), while)
	}
	if o.err == nil || !trouble && !errors.Is(o.err, backend.ErrOutcomeUnknown) {
		return
	}
	for _, b := range v.path {
		d := &h.procs[v.proc].doubt[b]
		for i, n := range h.asked(v) {
			d.up[i], d.used[i] = d.up[i]+n, d.used[i]+n
		}
		d.acquires++
	}
}

// checkError tells which errors a call may return.
func (h *hall) checkError(v *visit, o *outcome) {
	var invalid *engine.ValidationError
	ended := !v.ended.IsZero() || !v.deadline.IsZero() && !h.time().Before(v.deadline)
	trouble := h.faults || h.slow || h.leaves || h.crashes || h.waits
	p := h.procs[v.proc]
	switch err := o.err; {
	case err == nil:
		if v.closing && v.takes() {
			h.fail("visit %d: a closed limiter answers %v", v.id, o)
		}
	case errors.Is(err, engine.ErrClosed) && p.closing:
	case ended && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
	case trouble && errors.Is(err, engine.ErrUnavailable):
	case errors.Is(err, engine.ErrContention) && ended: // it has left while it let others go first
	case errors.Is(err, engine.ErrContention) && (h.gathering.procs > 1 || h.changes || h.faults || h.resets[v.path[0]] > 0 || h.cascade):
	case errors.As(err, &invalid) && (v.do == callRelease || v.do == callAcquire && nothing(h.named(v.tokens, 1))):
	case errors.Is(err, engine.ErrLeaseClosed) && v.loan != nil:
	default:
		h.fail("visit %d (%v): %v", v.id, v.move, err)
	}
}

// checkAnswers demands that calls return in time.
func (h *hall) checkAnswers() {
	now := h.time()
	for _, v := range h.visits {
		asks := v.takes() && v.do != callConsume || v.do == callInspect // a lease settles first what is unknown to it, whatever its context
		ended := v.ended
		if ended.IsZero() && !v.deadline.IsZero() {
			ended = v.deadline
		}
		if asks && h.honors && !ended.IsZero() && now.After(ended) {
			h.fail("visit %d (%v) goes on %v after its context has ended", v.id, v.move, now.Sub(ended))
		}
		if v.do != callWait && now.Sub(v.begun) > mostBudgets*time.Second {
			h.fail("visit %d (%v) goes on for %v", v.id, v.move, now.Sub(v.begun))
		}
	}
}

// mostBudgets is how many budgets, of one second, a call may use: an acquire has one, and another to refund what one bucket of a path
// has charged that another one denies. Changes of the configuration have several.
const mostBudgets = 8
