package pocket

import (
	"math"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// setPause lets the pause follow the number of writers.
func (b *Buyer) setPause() {
	base := int64(b.opts.Target) / 2
	p, w := base, b.others.writes()
	if calm := calmWrites * oneWrite; w > calm { // base · (w/calm)²
		p = scale(scale(base, w, calm), w, calm)
	}
	p = min(p, b.age/2)
	// A bucket must not overflow during a pause; but where many write, little depends on one of them.
	if part := b.fill / slackParts; scale(w, part, second) <= manyPauses*oneWrite {
		p = min(p, part)
	}
	b.pause = max(p, 1)
}

// blockTime is how long a block lasts: it stretches with the pause.
func (b *Buyer) blockTime() int64 { return 2 * b.pause }

// pausing reports whether the next write has to wait. After a clock has stepped back, no pause lasts longer for it.
func (b *Buyer) pausing(now int64) bool {
	return b.prefetch && b.scarce && now < b.pauseEnd && b.pauseEnd-now <= b.age<<mostDoublings
}

// beginPause begins the pause after a write. It doubles after refusals.
func (b *Buyer) beginPause(now int64) {
	b.pauseEnd = now + b.pause<<min(b.refused, mostDoublings)
}

// setBlock sets the block of each limit. Where less than one request comes in the block's time, it is zero: small buckets
// work as without prefetch.
func (b *Buyer) setBlock() {
	span := b.blockTime()
	if scale(b.demand.requests, span, b.age) < 1 {
		clear(b.block)
		return
	}
	for i := range b.block {
		b.block[i] = 0
		if b.exact>>i&1 == 0 {
			b.block[i] = max(0, min(scale(b.demand.sums[i], span, b.age), b.handed.sums[i]*heldNum/heldDen))
		}
	}
}

// cut cuts the pocket to the block; what is cut off waits for the next write.
func (b *Buyer) cut(now int64) {
	b.roll(now)
	b.stale = false
	b.setBlock()
	for i := range b.pocket {
		if over := b.pocket[i] - b.block[i]; over > 0 {
			b.pocket[i] -= over
			b.owed[i] -= over
			b.owe(now)
		}
	}
	b.tidy()
	b.setLow()
}

func (b *Buyer) roll(now int64) {
	b.demand.roll(now)
	b.handed.roll(now)
}

// forecast is what a write buys of limit i for the pocket beyond the need of its callers, and whether the share has cut it.
func (b *Buyer) forecast(now int64, i int, need, pocket int64) (extra int64, cut bool) {
	extra = max(0, b.block[i]-pocket)
	if extra == 0 {
		return 0, false
	}
	level := b.rates[i].Capacity()
	if b.seen.known {
		level = b.level(now, i)
	}
	if most := b.share(max(0, level-need)); extra > most {
		extra, cut = most, true
	}
	return max(0, min(extra, b.rates[i].Capacity()-need)), cut
}

// share is the part of the expected tokens that one forecast may take: at least what refills in a pause, and everything
// while no other writer is seen.
func (b *Buyer) share(level int64) int64 {
	if b.others.alone() {
		return level
	}
	return max(scale(level, b.opts.MaxShare, 1000), min(level, scale(level, b.pause, b.fill)))
}

// setLow sets below how many tokens in the pocket the next write starts ahead: a quarter of a block, or what two latencies
// use up. It is never, where a block is not worth it.
func (b *Buyer) setLow() {
	span := b.blockTime()
	worth := scale(b.handed.requests, span, b.age) >= aheadRequests
	for i, block := range b.block {
		if b.low[i] = 0; worth {
			b.low[i] = max((block+aheadParts-1)/aheadParts, scale(block, 2*b.latency, span))
		}
	}
}

// ahead composes a write without callers where a pocket runs low, nil if none is due.
func (b *Buyer) ahead(now int64) *Write {
	low := false // always, without prefetch
	for i, n := range b.low {
		low = low || b.pocket[i] < n
	}
	if !low || b.flight != nil || len(b.queue) > 0 || now-b.lastAsk > aheadWithin || b.pausing(now) || now < b.quietUntil || b.ended != Pending {
		return nil
	}
	for i := range b.block {
		wanted := b.demand.sums[i] > 0
		if wanted && b.block[i] == 0 || wanted && b.scarce && b.level(now, i) < 1 {
			return nil
		}
	}
	return b.compose(now, nil)
}

// aim sets which regimes are likely. The active condition reaches a little below now: near full, a bucket that is shared
// flips between the regimes, and each wrong guess is a second write. After a wrong guess the record alone decides.
func (b *Buyer) aim(now int64, w *Write) {
	w.Active, w.Slack = 0, 0
	if b.prefetch {
		w.Slack = min(slackMost, b.age/slots, b.fill/slackParts)
	}
	if !b.seen.known {
		return
	}
	flips := b.prefetch && w.Tries == w.begun && scale(b.others.others, w.Slack, second) > oneWrite
	for i := range b.rates {
		rate := &b.rates[i]
		up := w.Take[i] + w.Charge[i]
		if up == 0 || w.Charge[i] == 0 && w.Take[i]-w.Refund[i] >= rate.Capacity() {
			continue // the whole capacity is only there in the full regime, or if the write refunds some of it
		}
		if tat := b.seen.tats[i]; tat.Seen && (flips || !rate.IsFull(tat, rate.Y(now-w.Slack))) {
			w.Active |= 1 << i
		}
	}
}

// fits reports whether the record that a refusal showed had what the write needs, as of its sending: then its regimes were
// guessed wrong. By now more may have refilled, but that is for another write, of another size.
func (b *Buyer) fits(w *Write, r *Record) bool {
	for i := range b.rates {
		rate, at := &b.rates[i], r.Tats[i]
		if w.Refund[i] > 0 && at.Seen {
			at = bucket.Arrival{At: at.At.Sub(rate.Cost(w.Refund[i])), Seen: true}
		}
		checked := w.Take[i] > 0 || w.Checked && w.Charge[i] == 0
		if checked && !rate.Admits(at, rate.Y(w.sent), w.Take[i]) {
			return false
		}
	}
	return true
}

const never = math.MaxInt64
