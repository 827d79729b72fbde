package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

const (
	// After so many wrong guesses in a row, compare-and-set and guesses alternate. If others write faster than a round
	// trip, compare-and-set nearly always loses, while a guess is right about half the time.
	mostWrongGuesses = 3
	mostLostRaces    = 3  // in converting a bucket, before it is judged by the limits in its record
	mostTries        = 32 // writes for one charge
	mostRestarts     = 4  // of one acquire, if its configuration changes under it
)

// Acquire takes the tokens of the request, all of them or none, without waiting for tokens. If the entity cascades, its
// parents are charged the same amounts. The lease must be ended by Commit or Rollback. A denial is an *ExceededError. For
// a bad request Acquire returns a *ValidationError, ErrUnknownLimit or ErrNoLimits. It returns ErrUnavailable if the store
// cannot be reached and the policy is PolicyBlock, or PolicyLocal and this process cannot decide by itself, and ErrContention if
// it loses to other writers again and again.
func (l *Limiter) Acquire(ctx context.Context, r Request) (*Lease, error) {
	a := l.attempts.Get().(*attempt)
	r.leases = true
	admitted, err := l.decide(ctx, a, &r)
	var lease *Lease
	switch {
	case err != nil:
		lease, err = l.acquireByPolicy(ctx, &r, err)
	case admitted:
		lease = l.newLease(a, &r)
	default:
		err = l.exceeded(a)
	}
	l.release(a)
	return lease, err
}

// Allow is Acquire without a lease, for callers who will not adjust. A denial is no error; errors as Acquire.
func (l *Limiter) Allow(ctx context.Context, r Request) (d Decision, err error) {
	a := l.attempts.Get().(*attempt)
	if d.Allowed, err = l.decide(ctx, a, &r); err == nil {
		d.RetryAfter, _, err = l.fillSnapshot(a, &d.limits)
		if err != nil {
			d = Decision{Allowed: d.Allowed}
		}
	}
	if err != nil {
		d, err = l.allowByPolicy(ctx, &r, err)
	}
	l.release(a)
	return d, err
}

// decide admits the request or denies it. If it returns an error, the request was neither admitted nor denied. It calls
// these functions, in this order:
//
//	resolve          validates the request and makes a charge for each bucket on the path (here, charge.go, resolve.go)
//	denyBeyond       denies a request that is larger than a capacity (denial.go)
//	decideByReading  decides a request that takes no tokens, by reading the buckets (readings.go)
//	denyKnown        denies without a write if a last seen record suffices for that (denial.go)
//	charge           charges the bucket, by a write of its own or by one that callers share (desk.go)
//	chargeAlone      builds the write, sends it, and interprets the outcome (here, guess.go, refusal.go)
//	chargeAll        if the path has several buckets: calls charge for each, and refunds the others if one denies (cascade.go)
//
// The caller then makes a lease (newLease) or an error (exceeded). If the configuration changes during an acquire, the
// acquire begins again.
func (l *Limiter) decide(ctx context.Context, a *attempt, r *Request) (admitted bool, err error) {
	if l.store.Closed() {
		return false, ErrClosed
	}
	if a.now, err = l.now(); err != nil {
		return false, err
	}
	a.req = *r
	for range mostRestarts {
		admitted, err = l.tryOnce(ctx, a)
		if err == nil || !errors.Is(err, errRestart) {
			if a.admitted = admitted; admitted {
				if a.writes += a.n; a.writes >= sweepBatch {
					l.countWrites(a)
				}
			}
			if err == nil && l.opts.Observer != nil && (admitted || a.decides(ctx)) {
				l.observeDecision(a, r, admitted)
			}
			return admitted, err
		}
		if a.abandoned.Load() { // the store still has buffers of the charges
			return false, store.NotSent(l.budget(ctx, a))
		}
	}
	return false, ErrContention
}

func (l *Limiter) tryOnce(ctx context.Context, a *attempt) (admitted bool, err error) {
	if err := l.resolve(ctx, a); err != nil {
		return false, err
	}
	one := a.n == 1 && a.takes && !a.beyond && !a.denialKnown
	if !one {
		ctx = l.budget(ctx, a)
	}
	switch {
	case one:
		c := &a.charges[0]
		err = l.charge(ctx, a, c)
		admitted = err == nil && c.result == applied
	case a.beyond:
		return false, l.denyBeyond(ctx, a)
	case !a.takes:
		return l.decideByReading(ctx, a)
	case a.denialKnown, l.prefetch && a.deniedByPockets():
		return false, l.denyKnown(ctx, a)
	default:
		admitted, err = l.chargeAll(ctx, a)
	}
	if a.within && !admitted {
		a.noteUnknown()
	}
	return admitted, err
}

// resolve makes the charges: one for each entity on the path that has limits.
func (l *Limiter) resolve(ctx context.Context, a *attempt) (err error) {
	nonce := backend.Num{}
	if !l.noIO { // without I/O no reply is ever lost
		nonce = random()
	}
	id, names, isPlain := bucketID{a.req.Entity, a.req.Resource}, 0, a.isPlain()
	a.n, a.root, a.takes, a.beyond, a.denialKnown = 0, nil, false, false, false
	for depth := 0; depth == 0 || id.entity != ""; depth++ {
		if depth == mostPath {
			return fmt.Errorf("%w: the path of %s has more than %d entities", ErrCycle, a.req.Entity, mostPath)
		}
		b, conf := l.cache.get(&id), (*config)(nil)
		if b != nil && isPlain && l.follow.Fresh(b.seq.Load(), a.now) {
			conf = b.conf.Load()
		}
		if conf == nil {
			if b, conf, err = l.stateOf(ctx, a, &id, b); err != nil {
				return err
			}
		}
		if depth == 0 {
			a.root = b
		}
		c := a.addCharge(b, conf, depth == 0, l.noRegimes)
		c.nonce = nonce
		named, err := l.prepare(a, c)
		if err != nil {
			return err
		}
		if c.required != nil {
			names = max(names, named)
			if c.illegal {
				return a.check()
			}
			a.n++
			a.takes, a.beyond, a.denialKnown = a.takes || c.asks != 0, a.beyond || c.beyond, a.denialKnown || c.denialKnown
		}
		id.entity = conf.parent
	}
	if a.n == 0 {
		return ErrNoLimits
	}
	if names < len(a.req.Consume) {
		return a.checkNames()
	}
	return nil
}

// stateOf finds or makes the state of a bucket, and finds its configuration. The cache has given b, or nil. A bad request is
// refused before anything is done for it.
func (l *Limiter) stateOf(ctx context.Context, a *attempt, id *bucketID, b *bucketState) (*bucketState, *config, error) {
	if a.root == nil && (b == nil || b.conf.Load() == nil || !a.isPlain()) {
		if err := a.check(); err != nil {
			return nil, nil, err
		}
	}
	if b == nil {
		var err error
		if b, err = l.stateAt(id); err != nil {
			return nil, nil, err
		}
	}
	if refused := l.store.Refused(ctx); refused != nil {
		conf, err := l.knownConfig(b, a.now)
		if conf == nil {
			err = cmp.Or(err, refused)
		}
		return b, conf, err
	}
	conf, err := l.configOf(l.budget(ctx, a), b, a.now)
	return b, conf, err
}

// isPlain reports whether a request for a known bucket needs no check beside those that are made in passing: its ids were
// checked when the bucket was seen first, its limits are when they change, and its amounts are compared with the capacity.
func (a *attempt) isPlain() bool { return len(a.req.Consume) > 0 && a.req.OnUnavailable <= a.policies }

// charge charges one bucket: alone if the store does no I/O or nobody else of this process writes the bucket, and else by a
// write that callers share. While the breaker is open nobody waits for the one who probes the store.
func (l *Limiter) charge(ctx context.Context, a *attempt, c *bucketCharge) error {
	if l.noIO {
		return l.chargeAlone(ctx, a, c)
	}
	for l.prefetch || !l.store.BreakerIsOpen() {
		d, first := l.meet(c)
		switch {
		case first:
			err := l.chargeAlone(l.budget(ctx, a), a, c)
			d.firstDone(a, c, err)
			return err
		case l.prefetch && d.terms.conf != c.conf:
			d.leave()
			continue
		case d.terms != c.terms(): // such callers do not wait for each other
			return l.chargeAlone(l.budget(ctx, a), a, c)
		}
		if open, err := d.ask(ctx, a, c); open {
			return err
		}
	}
	if err := l.store.Refused(ctx); err != nil {
		return err
	}
	return l.chargeAlone(l.budget(ctx, a), a, c)
}

// chargeAlone builds a write, sends it, and interprets its outcome, until the store has admitted or denied it. ctx bounds it.
func (l *Limiter) chargeAlone(ctx context.Context, a *attempt, c *bucketCharge) error {
	defer c.endConvertAlone()
	c.buildGuess()
	for c.tries = 1; ; c.tries++ {
		if err := l.send(ctx, a, c); err != nil {
			return c.throttled(err)
		}
		if c.outs[0].Applied {
			if c.result = applied; c.onlyConverts { // a conversion whose request is denied
				c.result = denied
			}
			c.rememberOutcome(c.active, true)
			return nil
		}
		if err := l.interpretRefusal(ctx, a, c); err != nil || c.result != pending {
			return err
		}
		if c.tries >= mostTries || c.tries > mostWrongGuesses && !l.store.GiveWay(ctx, c.tries-mostWrongGuesses) {
			return ErrContention
		}
		if err := l.buildNext(a, c); err != nil {
			return err
		}
	}
}

// send sends the charge's write, and sends it again after trouble that passes, also if the outcome is unknown: the nonce
// then shows whether an earlier try was applied. A refusal by the store is not an error; it is in c.outs.
func (l *Limiter) send(ctx context.Context, a *attempt, c *bucketCharge) error {
	if c.state.converting.Load() {
		l.waitForConversion(ctx, c)
	}
	return l.store.Retry(ctx, func() (final bool, err error) {
		return l.apply(ctx, a, c)
	})
}

// apply makes the charge's write once, and notes what is not known of it. After an abandoned call the store has the
// buffers of the charge: nothing of them may be touched.
func (l *Limiter) apply(ctx context.Context, a *attempt, c *bucketCharge) (abandoned bool, err error) {
	abandoned, err = l.store.Apply(ctx, c.writes[:], c.outs[:])
	c.fromLastSeen = false // outs has what the store says
	if err == nil {
		return false, nil
	}
	if abandoned {
		a.abandoned.Store(true)
	}
	if (c.shared != nil || c.reserved != nil) && errors.Is(err, backend.ErrThrottled) { // who decides for many sends it again
		return true, err
	}
	if errors.Is(err, backend.ErrOutcomeUnknown) {
		c.unsure = true
		if c.refunds() { // it must not be sent twice
			return true, err
		}
	}
	return abandoned, err
}
