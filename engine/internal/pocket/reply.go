package pocket

import "github.com/zeroae/zae-limiter-go/engine/bucket"

// Applied reports that a write took effect, and the record after it. If the driver learns that from the nonce in the record
// of a refusal, it calls Recognize first.
func (b *Buyer) Applied(now int64, w *Write, r *Record) Step {
	b.begin()
	b.arrived(w)
	current := b.learn(now, w, r, true)
	b.refused = 0
	b.loseDoubtful(w)
	if w.Checked {
		b.scarce = w.cut
		b.receive(now, w, r.Born, current)
	}
	return b.advance(now)
}

// Begin says that the driver makes a write of its own for one caller. Those who ask meanwhile wait for it as for any other.
func (b *Buyer) Begin(now int64) *Write {
	return b.launch(now, newWrite(len(b.rates)))
}

// End ends a write that Begin has begun. r is the record that it left, if applied, or that refused it; nil if none was seen.
func (b *Buyer) End(now int64, w *Write, r *Record, applied bool) Step {
	b.begin()
	b.arrived(w)
	if r != nil {
		b.learn(now, w, r, applied)
	}
	return b.advance(now)
}

// Recognize says that an earlier send of a write, whose outcome was unknown, turned out to have taken effect, with its
// refunds. The driver calls it before Applied, where the record of a refusal has the write's nonce.
func (b *Buyer) Recognize(w *Write) {
	clear(w.doubtful)
	clear(w.lowering)
}

// receive admits the callers of a write and fills the pocket. What a write brings that took long goes back, and its
// admissions do not count as handed out. Callers that two lives of the record were charged for belong to the first one: what
// they refund is void, since the second one was not charged for all of it.
func (b *Buyer) receive(now int64, w *Write, born bucket.Num, current bool) {
	whole := born == w.Born || w.reserved.isZero() // otherwise the pocket has paid a part, before a reset
	if !whole {
		born = w.Born
	}
	inTime := b.prefetch && now-w.first <= b.age/slots
	switch {
	case !current:
		b.lose(w.extra)
	case inTime:
		b.pocket.add(w.extra)
	default:
		b.refundLater(now, w.extra)
	}
	behind := append(Tokens(nil), w.extra...)
	for k := len(w.callers) - 1; k >= 0; k-- {
		c := w.callers[k]
		if c == nil {
			continue
		}
		c.Behind = append(c.Behind[:0], behind...)
		behind.add(c.Need)
	}
	for _, c := range w.callers {
		if c != nil {
			c.Born = born
			b.decide(c, Admitted)
		}
	}
	if inTime {
		b.roll(now)
		w.need.sub(w.left)
		b.handed.add(w.need, int64(w.Callers()))
	}
	if w.leftCount > 0 {
		b.unserve(now, w, current && whole)
	}
	b.stale = true
}

// unserve refunds callers that left before their write was applied.
func (b *Buyer) unserve(now int64, w *Write, current bool) {
	b.used.sub(w.left)
	b.acquired -= w.leftAcquired
	b.report(now)
	if current {
		b.refundLater(now, w.left)
	} else {
		b.lose(w.left)
	}
}

// Refused reports that a write's conditions failed, and the record as it stood. Either the regimes were guessed wrong, and
// the same write is to be sent again under the same nonce, or the record does not hold what the write takes: then its
// callers are free, and those that fit share another write, with another nonce.
func (b *Buyer) Refused(now int64, w *Write, r *Record) Step {
	b.begin()
	b.learn(now, w, r, false)
	b.loseDoubtful(w)
	w.Tries++
	if b.outlives(w) && w.Tries < mostTries && b.fits(w, r) {
		w.sent = now
		b.aim(now, w)
		return b.step(w)
	}
	b.arrived(w)
	if w.Tries >= mostTries {
		b.contend(w)
	}
	b.undo(w)
	if !w.Checked {
		b.postpone(now)
		return b.advance(now)
	}
	b.refused++
	b.scarce = true
	for _, c := range b.queue[:w.Callers()] {
		c.losses, c.tries = c.losses+1, w.Tries
	}
	return b.serve(now, b.refused <= mostEager || !b.pausing(now)) // those who fit what the record shows write at once
}

// outlives takes out of a write what a reset has made void, and reports whether the rest can be sent.
func (b *Buyer) outlives(w *Write) bool {
	if w.life == b.life {
		return true
	}
	b.lose(w.Refund)
	clear(w.Refund)
	if !w.reserved.isZero() {
		return false
	}
	w.life, w.Born = b.life, b.seen.born
	return true
}

// contend gives up on the callers of a write that has lost too often.
func (b *Buyer) contend(w *Write) {
	for _, c := range w.callers {
		if c != nil {
			b.decide(c, Contended)
		}
	}
	b.drop(w)
}

// drop takes the callers out of a write that was not applied.
func (b *Buyer) drop(w *Write) {
	w.Used.sub(w.need)
	w.Acquired -= w.acquires
	clear(w.need)
	w.callers, w.leftCount, w.acquires, w.leftAcquired = nil, 0, 0, 0
}

// Throttled reports that the store has refused a write because its key range is too hot; the write was not applied. It is
// resent with full jitter, at most three times. Then its callers are denied until the end of the pause: a hot bucket is no
// outage. random is any number, for the jitter.
func (b *Buyer) Throttled(now int64, w *Write, random uint64) Step {
	b.begin()
	b.others.throttled = min(b.others.throttled+throttleWeight, mostThrottles*throttleWeight)
	if b.prefetch {
		b.setPause()
	}
	if w.throttles++; w.throttles <= mostThrottles {
		after := int64(random % uint64(throttleJitter<<(w.throttles-1)))
		w.first, w.sent = now+after, now+after // it was not applied
		return Step{Decided: b.decided, Send: w, After: after}
	}
	b.arrived(w)
	until := now + throttledDenial
	if b.prefetch {
		until = max(now, b.pauseEnd)
	}
	for _, c := range w.callers {
		if c != nil {
			b.deny(c, until)
		}
	}
	b.drop(w)
	b.undo(w)
	b.postpone(now)
	return b.advance(now)
}

// Unknown reports that the outcome of a send is unknown. The driver sends the write again, under the same nonce, with the
// same callers, for as long as its budget lasts. Refunds, and what lowers counters, are sent once: they count as lost unless the nonce is
// recognized.
func (b *Buyer) Unknown(now int64, w *Write) Step {
	b.begin()
	w.doubtful.moveFrom(w.Refund)
	for i, need := range w.need {
		if less := need - w.Used[i]; less > 0 {
			w.lowering[i], w.Used[i] = less, need
		}
	}
	w.Acquired = max(w.Acquired, w.acquires)
	w.sent = now
	return b.step(w)
}

// Failed reports that the driver gives up on a write. If certain, it was not applied, and what it carried for others goes
// with the next one; otherwise that counts as written. Its callers get the verdict Failed. The driver decides for them by
// policy.
func (b *Buyer) Failed(now int64, w *Write, certain bool) Step {
	b.begin()
	b.arrived(w)
	for _, c := range w.callers {
		if c != nil {
			b.decide(c, Failed)
		}
	}
	if certain {
		b.drop(w)
		b.undo(w)
		b.postpone(now)
	} else {
		b.loseDoubtful(w)
		b.loseRefund(w.Refund)
		w.Used.sub(w.need) // its callers are told
		b.loseUsed(w.Used)
		b.restore(w)
		b.quietUntil = now + b.pause
	}
	return b.advance(now)
}

// postpone lets what waits wait again after a failure, and no write start ahead meanwhile: a store that is away answers at
// once. A buyer that has ended tries no more.
func (b *Buyer) postpone(now int64) {
	b.quietUntil = now + b.pause
	if b.owedAt != 0 {
		b.owedAt = now
	}
	if b.usedAt != 0 {
		b.usedAt = now
	}
	if b.ended == Closed {
		left := b.Owed()
		b.loseRefund(left.Refund)
		b.loseUsed(left.Used)
	}
}

func (b *Buyer) begin() { b.decided = b.decided[:0] }
