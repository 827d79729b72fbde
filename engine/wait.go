package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/queue"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Wait is like Acquire, but it waits until the tokens are there. It reserves them with one write, and returns the lease when
// they are due: so callers of all processes are admitted in the order in which they came. Callers that do not wait see what is
// reserved as taken.
//
// Wait returns the *ExceededError at once if the request can never fit, or if ctx ends before the tokens are due (then
// errors.Is also finds context.DeadlineExceeded). If ctx ends while Wait waits, it returns an *ExceededError that is also the
// error of ctx, and what it has reserved passes to the next caller that waits, or is refunded. After Close it returns ErrClosed.
// Its other errors are those of Acquire.
//
// Options.MaxReserve bounds how far ahead tokens are reserved. Callers that would be due later wait in their process, in order;
// between processes the order is then not kept. If it is negative nothing is reserved: one caller of each process asks when its
// tokens should be there. Callers without a reservation notice within a minute that others have reset the bucket or changed its
// limits. A process that dies loses what its callers have reserved.
//
// While this process decides by itself (PolicyLocal), nothing is reserved: each caller asks again when the tokens should be there,
// and at least once a minute.
func (l *Limiter) Wait(ctx context.Context, r Request) (*Lease, error) {
	r.waitingSince, r.leases = l.clock.now(), true
	for {
		lease, err := l.waitForStore(ctx, r)
		exceeded, denied := errors.AsType[*ExceededError](err)
		if !denied || !exceeded.local {
			return lease, err
		}
		if err := l.sleepFor(ctx, exceeded); err != nil {
			return nil, err
		}
	}
}

// waitForStore is Wait until the store decides, or a local bucket denies. What restarts it is mostly a change by this process.
func (l *Limiter) waitForStore(ctx context.Context, r Request) (*Lease, error) {
	for restarts := 0; restarts <= charge.MostTries; restarts++ {
		if restarts > 0 {
			lease, err := l.Acquire(ctx, r)
			exceeded, denied := errors.AsType[*ExceededError](err)
			switch {
			case !denied || exceeded.NeverFits || exceeded.local:
				return lease, err
			case ctx.Err() != nil:
				return nil, &deadlineError{exceeded, ctx.Err()}
			}
		}
		if restarts > 1 { // an acquire that is denied from memory has converted no bucket of the path
			l.convertPath(ctx, r)
		}
		began := l.clock.now()
		lease, err := l.waitInQueue(ctx, &r, restarts > 0)
		if !errors.Is(err, charge.ErrRestart) {
			return lease, err
		}
		if l.clock.now()-began > int64(time.Second) {
			restarts = 0
		}
	}
	return nil, ErrContention
}

// waitInQueue waits in the queue of the request's path. It returns charge.ErrRestart if an ordinary acquire has to come first: asked is
// false, and it would convert the bucket, or no queue knows the record or what is wrong with the request; or the limits have
// changed while it waited.
func (l *Limiter) waitInQueue(ctx context.Context, r *Request, asked bool) (lease *Lease, err error) {
	a := l.begin(r)
	defer l.release(a)
	if l.store.Closed() {
		return nil, ErrClosed
	}
	err = a.Resolve(a.Budget(ctx), l.settler)
	switch {
	case !asked && (err != nil || ctx.Err() != nil || l.asksFirst(a)):
		return nil, charge.ErrRestart
	case err != nil:
		return l.acquireByPolicy(ctx, r, err)
	case a.Beyond:
		return nil, charge.ErrRestart
	case !a.Takes:
		return l.askAgain(ctx, r)
	}
	m, q, decided := l.queues.Join(ctx, a.Root.ID, a.Charges[:a.N])
	if !decided {
		if err := q.Wait(ctx, a.Budget(ctx), m); err != nil {
			return l.acquireByPolicy(ctx, r, err)
		}
	}
	return l.conclude(ctx, a, r, m)
}

// asksFirst reports whether an ordinary acquire comes first: it converts buckets, denies what never fits, finds the record where
// none was seen, and takes tokens that were bought in advance.
func (l *Limiter) asksFirst(a *attempt) bool {
	bought := l.charger.Prefetch
	for i := range a.N {
		c := &a.Charges[i]
		if !c.FromLastSeen || c.Creates {
			return true
		}
		for j := range c.Assumed.Rates {
			bought = bought && c.Need[j] <= c.PocketOf(j)
		}
	}
	return bought || a.Beyond || !a.Takes
}

// conclude makes the verdict what Wait returns.
func (l *Limiter) conclude(ctx context.Context, a *attempt, r *Request, m *queue.Waiting) (*Lease, error) {
	switch m.Verdict {
	case reserve.Admitted:
		return l.admitWaiter(a, r, m), nil
	case reserve.Failed:
		return l.acquireByPolicy(ctx, r, m.Err)
	case reserve.Again:
		return nil, charge.ErrRestart
	case reserve.Closed:
		return nil, ErrClosed
	case reserve.OutOfRange:
		return nil, errReservedTooFar
	case reserve.Denied:
		return nil, l.denyWaiter(a, r, m, context.DeadlineExceeded)
	}
	return nil, l.denyWaiter(a, r, m, ctx.Err())
}

// admitWaiter makes the lease of a waiter whose tokens are due. Its acquire is now, and not when they were reserved.
func (l *Limiter) admitWaiter(a *attempt, r *Request, m *queue.Waiting) *Lease {
	a.Now = l.clock.now()
	after := m.After
	for i := range a.N {
		c := &a.Charges[i]
		c.BecomesDue(a.Now, m.Born[i], after)
		after = after[len(c.Assumed.Rates):]
	}
	a.Admitted = true
	if l.opts.Observer != nil {
		l.observeDecision(a, r, true)
	}
	return l.newLease(a, r)
}

// denyWaiter makes the denial of a waiter that could be admitted at m.Until.
func (l *Limiter) denyWaiter(a *attempt, r *Request, m *queue.Waiting, cause error) error {
	a.Now = l.clock.now()
	denies := false
	for i := range a.N {
		denies = a.Charges[i].DenyNow(a.Now) || denies
	}
	after := max(0, time.Duration(m.Until-a.Now))
	for i := range a.N {
		if !denies {
			a.Charges[i].Pause = max(after, 1)
		}
	}
	if l.opts.Observer != nil {
		l.observeDecision(a, r, false)
	}
	err := l.exceeded(a)
	exceeded, ok := errors.AsType[*ExceededError](err)
	if !ok {
		return err
	}
	exceeded.RetryAfter = after
	return &deadlineError{exceeded, cause}
}

// mostSleep is until a caller asks again: the tokens may be there sooner, after a refund, a reset, other limits or an outage. mostJitter
// is what it sleeps beyond a denial's time, so that those who wait for the same do not come at once.
const mostSleep, mostJitter = time.Minute, 10 * time.Millisecond

// askAgain is for requests of zeros, which take nothing that could be reserved: it acquires, and after a denial sleeps until the
// time that the denial says.
func (l *Limiter) askAgain(ctx context.Context, r *Request) (*Lease, error) {
	q := *r
	q.waitingSince = 0 // each of its denials is a decision
	for {
		lease, err := l.Acquire(ctx, q)
		exceeded, denied := errors.AsType[*ExceededError](err)
		if !denied || exceeded.NeverFits {
			return lease, err
		}
		if err := l.sleepFor(ctx, exceeded); err != nil {
			return nil, err
		}
	}
}

// sleepFor sleeps until a denial's time, but no longer than mostSleep. It returns an error, at once, if ctx ends before that time.
func (l *Limiter) sleepFor(ctx context.Context, exceeded *ExceededError) error {
	wait, left := max(0, exceeded.RetryAfter-max(0, time.Duration(l.clock.now()-exceeded.at))), pause.Left(ctx)
	if left < wait {
		return &deadlineError{exceeded, context.DeadlineExceeded}
	}
	jitter := rand.N(min(mostJitter, exceeded.RetryAfter/10+1))
	if err := l.opts.Sleep(ctx, min(min(wait, mostSleep)+jitter, left)); err != nil {
		return &deadlineError{exceeded, err}
	}
	return nil
}
