package pocket

import (
	"math"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// Record is what a reply shows of the bucket's record. It has the buyer's limit set: the driver calls Retire if it has not.
type Record struct {
	Tats []bucket.Arrival // by position; the buyer copies them
	Ver  int64
	Born bucket.Num
}

// lastSeen is the last record that was seen.
type lastSeen struct {
	known     bool
	tats      []bucket.Arrival
	ver       int64
	born      bucket.Num
	at        int64 // when the write that showed it was sent
	debtUntil int64 // some limit is in debt until then
}

// learn makes r the last seen record, unless it is older than that one. It reports whether r is of a life of the record
// that is over, or of the present one.
func (b *Buyer) learn(now int64, w *Write, r *Record, applied bool) (current bool) {
	if b.seen.known && r.Ver < b.seen.ver { // versions grow from one life to the next, too
		return r.Born == b.seen.born
	}
	moved := r.Ver - b.seen.ver
	if applied {
		moved--
	}
	switch {
	case !b.seen.known:
		moved = 0
	case r.Born != b.seen.born:
		moved = 0
		b.endLife()
	}
	b.others.count(now, moved)
	b.seen.known, b.seen.ver, b.seen.born, b.seen.at = true, r.Ver, r.Born, min(max(b.seen.at, w.sent), now)
	copy(b.seen.tats, r.Tats)
	b.seen.debtUntil = math.MinInt64
	for i := range b.rates {
		if wait, _ := b.rates[i].Wait(b.seen.tats[i], now, 0); wait > 0 {
			b.seen.debtUntil = max(b.seen.debtUntil, now+int64(wait))
		}
	}
	b.latency += (now - w.sent - b.latency) / latencyParts
	if b.prefetch {
		b.setPause()
	}
	return true
}

// endLife drops what belongs to a life of the record that a reset has ended: its tokens are all there again.
func (b *Buyer) endLife() {
	b.life++
	for i := range b.pocket {
		b.counts.Lost += b.pocket[i] + max(0, -b.owed[i])
		b.owed[i] = max(0, b.owed[i])
	}
	clear(b.pocket)
}

// fresh reports whether the last seen record proves denials. After a clock has stepped back, it does not.
func (b *Buyer) fresh(now int64) bool {
	age, proves := now-b.seen.at, min(b.age, int64(b.opts.DenialTTL))
	return b.seen.known && -proves <= age && age <= proves
}

// level is what the record holds of limit i if nobody else has written since it was seen, negative in debt.
func (b *Buyer) level(now int64, i int) int64 {
	return b.rates[i].Available(b.seen.tats[i], b.rates[i].Y(now))
}

// Born is the life of the last seen record.
func (b *Buyer) Born() bucket.Num { return b.seen.born }

// Arrival is the arrival time of limit i by the last seen record. If the record is not known, there is none.
func (b *Buyer) Arrival(i int) bucket.Arrival { return b.seen.tats[i] }

// Pocket is how many tokens of limit i the pocket holds.
func (b *Buyer) Pocket(i int) int64 { return b.pocket[i] }

// holds reports whether the last seen record, refilled to now, and the pocket hold the request.
func (b *Buyer) holds(now int64, need Tokens) bool {
	for i := range b.rates {
		rate := &b.rates[i]
		if !rate.Admits(b.seen.tats[i], rate.Y(now), max(0, need[i]-b.pocket[i])) {
			return false
		}
	}
	return true
}

// until is when they hold it if nobody else comes.
func (b *Buyer) until(now int64, need Tokens) int64 {
	until := now
	for i := range b.rates {
		wait, _ := b.rates[i].Wait(b.seen.tats[i], now, max(0, need[i]-b.pocket[i]))
		until = max(until, num.FromInt64(now).Add(num.FromInt64(int64(wait))).SaturateInt64())
	}
	return until
}

// ledger is the last seen record and the pocket, as callers use them up one after another.
type ledger struct {
	rates  []bucket.Rate
	now    int64
	tats   []bucket.Arrival
	pocket Tokens
}

// openLedger returns the ledger of the present state; there is one at a time.
func (b *Buyer) openLedger(now int64) *ledger {
	l := &b.ledger
	l.rates, l.now = b.rates, now
	l.tats = append(l.tats[:0], b.seen.tats...)
	l.pocket = append(l.pocket[:0], b.pocket...)
	return l
}

// admits reports whether the request fits what those before it have left.
func (l *ledger) admits(need Tokens) bool {
	for i := range l.tats {
		if rate := &l.rates[i]; !rate.Admits(l.tats[i], rate.Y(l.now), max(0, need[i]-l.pocket[i])) {
			return false
		}
	}
	return true
}

// take uses up a request.
func (l *ledger) take(need Tokens) {
	for i := range l.tats {
		rate, short := &l.rates[i], max(0, need[i]-l.pocket[i])
		l.pocket[i] -= need[i] - short
		if short > 0 {
			l.tats[i] = bucket.Arrival{At: rate.Base(l.tats[i], rate.Y(l.now)).Add(rate.Cost(short)), Seen: true}
		}
	}
}
