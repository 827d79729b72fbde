package charge

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// How often a charge is tried.
const (
	// After so many wrong guesses in a row, compare-and-set and guesses alternate. If others write faster than a round
	// trip, compare-and-set nearly always loses, while a guess is right about half the time.
	mostWrongGuesses = 3
	mostLostRaces    = 3  // in converting a bucket, before it is judged by the limits in its record
	MostTries        = 32 // writes for one charge
)

// Charge charges one bucket: alone if the store does no I/O or nobody else of this process writes the bucket, and else by a
// write that callers share. While the breaker is open callers do not meet, so that nobody waits for the one who probes the store,
// except with prefetch, because the pocket may serve them.
func (k *Charger) Charge(ctx context.Context, c *Charge) error {
	if k.NoIO {
		return k.ChargeAlone(ctx, c)
	}
	for k.Prefetch || !k.Store.BreakerIsOpen() {
		d, first := k.meet(c)
		switch {
		case first:
			err := k.ChargeAlone(c.attempt.Budget(ctx), c)
			d.firstDone(c, err)
			return err
		case k.Prefetch && d.terms.Config != c.Config:
			d.replace()
			continue
		case d.terms != c.Terms(): // such callers do not wait for each other
			return k.ChargeAlone(c.attempt.Budget(ctx), c)
		}
		if open, err := d.ask(ctx, c); open {
			return err
		}
	}
	if err := k.Store.Refused(ctx); err != nil {
		return err
	}
	return k.ChargeAlone(c.attempt.Budget(ctx), c)
}

// ChargeAlone builds a write, sends it, and interprets its outcome, until the store has admitted or denied it. ctx bounds it.
func (k *Charger) ChargeAlone(ctx context.Context, c *Charge) error {
	defer c.endConvertAlone()
	c.buildGuess()
	for c.Tries = 1; ; c.Tries++ {
		if err := k.send(ctx, c); err != nil {
			return c.throttled(err)
		}
		if c.outs[0].Applied {
			c.Result = Applied
			if c.onlyConverts { // the request is denied
				c.Result = Denied
			}
			c.rememberOutcome(c.active, true)
			return nil
		}
		if err := k.interpretRefusal(ctx, c); err != nil || c.Result != Pending {
			return err
		}
		if c.Tries >= MostTries || c.Tries > mostWrongGuesses && !k.Store.GiveWay(ctx, c.Tries-mostWrongGuesses) {
			return store.ErrContention
		}
		if err := k.buildNext(c); err != nil {
			return err
		}
	}
}

// send sends the charge's write, and sends it again after trouble that passes, also if the outcome is unknown: the nonce
// then shows whether an earlier try was applied. A refusal by the store is not an error; it is in c.outs.
func (k *Charger) send(ctx context.Context, c *Charge) error {
	if c.State.converting.Load() {
		k.waitForConversion(ctx, c)
	}
	return k.Store.Retry(ctx, func() (final bool, err error) {
		return k.apply(ctx, c)
	})
}

// apply makes the charge's write once, and notes what is not known of it. After an abandoned call the store has the
// buffers of the charge: nothing of them may be touched.
func (k *Charger) apply(ctx context.Context, c *Charge) (abandoned bool, err error) {
	abandoned, err = k.Store.Apply(ctx, c.writes[:], c.outs[:])
	c.FromLastSeen = false // outs has what the store says
	if err == nil {
		return false, nil
	}
	if abandoned {
		c.attempt.abandoned.Store(true)
	}
	if c.servesSeveral() && errors.Is(err, backend.ErrThrottled) { // who decides for many sends it again
		return true, err
	}
	if errors.Is(err, backend.ErrOutcomeUnknown) {
		c.Unsure = true
		if c.isSentOnce() {
			return true, err
		}
		c.again = true
	}
	return abandoned, err
}

// mostWaits is how many pauses others make for a conversion.
const mostWaits = 4

// convertAlone makes others of this process wait a little that are about to write the charge's bucket: its conversion, a
// compare-and-set, has lost a race, and would lose against a few busy callers for ever.
func (c *Charge) convertAlone() {
	c.alone = c.alone || c.State.converting.CompareAndSwap(false, true)
}

// endConvertAlone lets the others go on, if convertAlone made them wait.
func (c *Charge) endConvertAlone() {
	if c.alone {
		c.alone = false
		c.State.converting.Store(false)
	}
}

// waitForConversion waits for the charge of another caller that converts the bucket, a bounded number of times.
func (k *Charger) waitForConversion(ctx context.Context, c *Charge) {
	for n := 1; n <= mostWaits && c.State.converting.Load() && !c.alone && k.Store.GiveWay(ctx, n); n++ {
	}
}
