package pocket

import "slices"

// advance serves the queue, unless a write is under way that it waits for: from the pocket, by denials that the last seen
// record proves, and by one write for those who are left.
func (b *Buyer) advance(now int64) Step {
	return b.serve(now, !b.pausing(now))
}

// serve is advance; may says that a write may be made now.
func (b *Buyer) serve(now int64, may bool) Step {
	switch {
	case b.flight != nil:
		return b.step(nil)
	case b.ended != Pending:
		return b.end(now)
	case b.prefetch:
		b.cut(now)
	}
	b.walk(now)
	switch {
	case len(b.chosen) == 0:
		return b.step(b.ahead(now))
	case !may:
		b.queue = append(b.queue, b.chosen...)
		b.dismiss(func(c *Caller) { b.deny(c, b.pauseEnd) })
		return b.step(nil)
	}
	return b.step(b.compose(now, b.chosen))
}

func (b *Buyer) step(w *Write) Step { return Step{Decided: b.decided, Send: w} }

// dismiss empties the queue.
func (b *Buyer) dismiss(decide func(*Caller)) {
	for _, c := range b.queue {
		decide(c)
	}
	clear(b.queue)
	b.queue = b.queue[:0]
}

// walk goes through the queue once, in order, and makes those whom the next write takes the chosen ones: the first caller,
// and everybody who fits what the chosen before have left. Who does not fit although nobody else took anything is denied,
// if the last seen record is fresh enough to prove it. Who would fit alone waits for the record that the write shows:
// whether the chosen get their tokens is not known before. It is judged as of that write then, so that nobody waits for
// tokens to refill; as are callers that have lost several writes in a row, where no pause ends their tries.
func (b *Buyer) walk(now int64) {
	first := 0
	for b.prefetch && first < len(b.queue) && b.inPocket(now, b.queue[first].Need) {
		b.handOut(now, b.queue[first])
		first++
	}
	b.queue, b.chosen = slices.Delete(b.queue, 0, first), b.chosen[:0]
	if len(b.queue) == 0 {
		return
	}
	left, fresh := b.openLedger(now), b.fresh(now)
	waiting := b.queue[:0]
	for _, c := range b.queue {
		at := now
		lost := c.losses >= mostLosses && !b.prefetch
		if c.passed || lost {
			at = min(now, b.seen.at)
		}
		switch {
		case (fresh || lost) && !b.holds(at, c.Need):
			b.deny(c, b.notBefore(now, b.until(now, c.Need)))
		case len(b.chosen) == 0 || left.admits(c.Need):
			left.take(c.Need)
			b.chosen = append(b.chosen, c)
		default:
			c.passed = true
			waiting = append(waiting, c)
		}
	}
	clear(b.queue[len(waiting):])
	b.queue = waiting
}

// notBefore is until, or the end of the pause if that is later.
func (b *Buyer) notBefore(now, until int64) int64 {
	if b.pausing(now) {
		return max(until, b.pauseEnd)
	}
	return until
}

// compose makes one write for these callers, with a forecast for the pocket and all that waits for a write. It returns nil
// if there is nothing to write.
func (b *Buyer) compose(now int64, callers []*Caller) *Write {
	if b.prefetch {
		b.roll(now)
		b.setBlock()
	}
	w := newWrite(len(b.rates))
	w.Checked, w.cut = true, len(b.queue) > 0
	w.callers = append(w.callers, callers...)
	for i, c := range w.callers {
		w.need.add(c.Need)
		c.write, c.place = w, i
		w.begun = max(w.begun, c.tries)
	}
	for i, need := range w.need {
		w.reserved[i] = min(b.pocket[i], need)
		short := need - w.reserved[i]
		if b.prefetch {
			extra, cut := b.forecast(now, i, short, b.pocket[i]-w.reserved[i])
			w.extra[i], w.cut = extra, w.cut || cut
		}
		w.Take[i] = short + w.extra[i]
	}
	if len(callers) == 0 && w.Take.isZero() {
		return nil
	}
	w.Used.add(w.need)
	w.acquires = acquires(callers)
	w.Acquired = w.acquires
	b.pocket.sub(w.reserved)
	b.load(w)
	if b.prefetch {
		b.beginPause(now)
	}
	return b.launch(now, w)
}

// load puts all that waits for a write into one, which charges or refunds a limit, but never both: a full bucket would take the
// charge only.
func (b *Buyer) load(w *Write) {
	for i, n := range b.owed {
		w.Charge[i], w.Refund[i], b.owed[i] = max(0, n), max(0, -n), 0
	}
	w.Used.moveFrom(b.used)
	w.Acquired, b.acquired = w.Acquired+b.acquired, 0
	w.owedAt, b.owedAt = b.owedAt, 0
	w.usedAt, b.usedAt = b.usedAt, 0
	w.Born, w.life = b.seen.born, b.life
}

// launch makes a write the one that callers wait for.
func (b *Buyer) launch(now int64, w *Write) *Write {
	w.first, w.sent, w.Tries = now, now, w.begun
	b.aim(now, w)
	b.flight = w
	return w
}

// arrived ends a write.
func (b *Buyer) arrived(w *Write) {
	if b.flight == w {
		b.flight = nil
	} else {
		b.late--
	}
}

// undo recovers what a write carried that was not applied, but for what an earlier send of unknown outcome carried. Its callers are
// the first of the queue again.
func (b *Buyer) undo(w *Write) {
	b.loseDoubtful(w)
	b.restore(w)
	if w.life == b.life {
		b.owed.sub(w.Refund)
	} else {
		b.lose(w.Refund)
	}
	b.owed.add(w.Charge)
	w.Used.sub(w.need)
	b.used.add(w.Used)
	b.acquired += w.Acquired - w.acquires
	b.owedAt, b.usedAt = earlier(b.owedAt, w.owedAt), earlier(b.usedAt, w.usedAt)
	b.tidy()
	b.requeue(w)
}

// earlier is the earlier of two instants, of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// restore puts what a write had out of the pocket back into it.
func (b *Buyer) restore(w *Write) {
	if w.life != b.life {
		b.lose(w.reserved)
		return
	}
	b.pocket.add(w.reserved)
	b.stale = true
}

// requeue puts the callers of a write that have not left at the head of the queue.
func (b *Buyer) requeue(w *Write) {
	var first []*Caller
	for _, c := range w.callers {
		if c != nil {
			c.write = nil
			first = append(first, c)
		}
	}
	b.queue = slices.Insert(b.queue, 0, first...)
}

func (b *Buyer) lose(n Tokens) {
	for _, v := range n {
		b.counts.Lost += v
	}
}

// loseRefund loses refunds that nobody has made void.
func (b *Buyer) loseRefund(n Tokens) {
	b.lose(n)
	b.lost.Refund.add(n)
}

// loseDoubtful loses what was sent once, with an unknown outcome. What would only have lowered counters is no token.
func (b *Buyer) loseDoubtful(w *Write) {
	b.lose(w.doubtful)
	for i, n := range w.doubtful {
		b.lost.Refund[i] += max(n, w.lowering[i])
	}
	clear(w.doubtful)
	clear(w.lowering)
}

// loseUsed loses usage. What is below zero would have lowered the counters.
func (b *Buyer) loseUsed(n Tokens) {
	for i, v := range n {
		b.lost.Used[i] += max(0, v)
	}
}

// TakeLost takes out what was lost since it was called last; false if nothing was.
func (b *Buyer) TakeLost() (Lost, bool) {
	if b.lost.Refund.isZero() && b.lost.Used.isZero() {
		return Lost{}, false
	}
	n, l := len(b.rates), b.lost
	b.lost = Lost{make(Tokens, n), make(Tokens, n)}
	return l, true
}
