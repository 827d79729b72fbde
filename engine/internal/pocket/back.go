package pocket

import "github.com/zeroae/zae-limiter-go/engine/bucket"

// owe notes that tokens wait for a write.
func (b *Buyer) owe(now int64) {
	if b.owedAt == 0 {
		b.owedAt = now
	}
}

// report notes that usage waits for a write.
func (b *Buyer) report(now int64) {
	if b.usedAt == 0 {
		b.usedAt = now
	}
}

// tidy forgets since when something waits if it waits no more.
func (b *Buyer) tidy() {
	if b.owed.isZero() {
		b.owedAt = 0
	}
	if b.used.isZero() && b.acquired == 0 {
		b.usedAt = 0
	}
}

// owes reports whether anything waits for a write.
func (b *Buyer) owes() bool {
	return b.acquired != 0 || !b.owed.isZero() || !b.used.isZero()
}

// refundLater lets tokens wait to be refunded.
func (b *Buyer) refundLater(now int64, n Tokens) {
	if n.isZero() {
		return
	}
	b.owed.sub(n)
	b.owe(now)
	b.tidy()
}

// Retract is Settle for an acquire that was admitted here and denied by another bucket of its path: it no longer counts as one.
// delta has refunds only.
func (b *Buyer) Retract(now int64, delta Tokens, born bucket.Num) {
	b.acquired--
	b.report(now)
	if b.Settle(now, delta, born) && b.prefetch {
		b.handed.add(nil, -1)
	}
}

// Settle takes the correction of a lease: above zero what it used beyond its charge, below zero what it refunds. It is
// written with the next write, or on its own after a while; until then the next callers are served from refunds, as far as
// the block allows. born is the life of the record that was charged: refunds to another life are void. Settle returns false,
// and changes nothing, if the charge would be out of range by the last seen record.
func (b *Buyer) Settle(now int64, delta Tokens, born bucket.Num) bool {
	for i, v := range delta {
		if rate := &b.rates[i]; v > 0 {
			y := rate.Y(now)
			if rate.DebtLimit(y).Less(rate.Base(b.seen.tats[i], y).Add(rate.Cost(max(0, b.owed[i]) + v))) {
				return false
			}
		}
	}
	void := b.seen.known && born != b.seen.born
	for i, v := range delta {
		if v < 0 && void {
			b.counts.Lost -= v
			continue
		}
		b.owed[i] += v
		b.used[i] += v
	}
	if b.prefetch {
		b.countRefund(now, delta, void)
	}
	b.owe(now)
	b.report(now)
	b.tidy()
	return true
}

// countRefund lowers what was handed out in the window, and so the block.
func (b *Buyer) countRefund(now int64, delta Tokens, void bool) {
	b.roll(now)
	for i, v := range delta {
		if v < 0 && !void {
			b.handed.addAt(i, v)
		}
	}
	b.stale = true
}

// owedUntil is when what waits goes in a write of its own: tokens soon, since others could have them. Usage alone keeps
// nobody waiting, and waits for A: with 50 saturated processes, reporting it after a block's time would double the writes.
func (b *Buyer) owedUntil() int64 {
	until := int64(never)
	if b.owedAt != 0 {
		until = b.owedAt + max(mostOwed, b.blockTime())
	}
	if b.usedAt != 0 {
		until = min(until, b.usedAt+b.age)
	}
	return until
}

// idleTime is after how long without a request the pocket goes back.
func (b *Buyer) idleTime() int64 { return min(b.age, b.blockTime()*idleNum/idleDen) }

// Due is when to call Tick, MaxInt64 if there is no need to. It moves with every other call; the driver asks for it after
// each Step and each Settle. A Tick that comes too early changes nothing.
func (b *Buyer) Due() int64 {
	if b.flight != nil { // its end looks after the rest
		if b.late < mostLate && (len(b.queue) > 0 || b.owes()) {
			return b.lateAt(b.flight)
		}
		return never
	}
	due := int64(never)
	if b.owes() {
		due = b.owedUntil()
	}
	if b.prefetch && (due != never || !b.pocket.isZero()) {
		due = min(due, b.lastAsk+b.idleTime())
		due = max(due, b.quietUntil)
	}
	return due
}

// Tick does what is due: it starts a write beside one that is late, and writes what has waited long enough. A pocket that
// nobody asks goes back.
func (b *Buyer) Tick(now int64) Step {
	b.begin()
	if now < b.Due() || b.holdsUp(now) {
		return b.step(nil)
	}
	if len(b.queue) > 0 {
		return b.advance(now)
	}
	if b.prefetch {
		b.cut(now)
		if b.idle(now) {
			b.emptyPocket(now)
		}
	}
	if now < b.owedUntil() && !b.idle(now) {
		return b.step(nil)
	}
	return b.step(b.settlement(now))
}

func (b *Buyer) idle(now int64) bool { return b.prefetch && now-b.lastAsk >= b.idleTime() }

func (b *Buyer) emptyPocket(now int64) {
	b.refundLater(now, b.pocket)
	clear(b.pocket)
}

// settlement composes a write of all that waits, nil if nothing does.
func (b *Buyer) settlement(now int64) *Write {
	w := newWrite(len(b.rates))
	b.load(w)
	if w.isEmpty() {
		return nil
	}
	return b.launch(now, w)
}
