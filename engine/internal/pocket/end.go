package pocket

import "github.com/zeroae/zae-limiter-go/engine/bucket"

// Close ends the buyer: callers in the queue get the verdict Closed, as does who asks later. Once the writes under way have
// ended, one write settles what waits and what is in the pocket. The driver goes on reporting outcomes until Rest is true.
func (b *Buyer) Close(now int64) Step {
	b.begin()
	b.ended = Closed
	b.dismiss(func(c *Caller) { b.decide(c, Closed) })
	return b.advance(now)
}

// Retire ends the buyer because the record has, or is to have, another limit set: w is the write that found it, nil if it
// was none. The queue and w's callers get the verdict Again, as does who asks later. If w was applied together with a
// conversion, its callers are admitted by the record's life born. The driver settles what Owed returns then, and after the
// end of each other write that is still under way.
func (b *Buyer) Retire(now int64, w *Write, applied bool, born bucket.Num) Step {
	b.begin()
	b.ended = Again
	switch {
	case w == nil:
	case applied:
		b.arrived(w)
		b.receive(now, w, born, true)
	default:
		b.arrived(w)
		b.undo(w)
	}
	b.dismiss(func(c *Caller) { b.decide(c, Again) })
	return b.advance(now)
}

// end does what is left to do for a buyer that has ended.
func (b *Buyer) end(now int64) Step {
	b.dismiss(func(c *Caller) { b.decide(c, b.ended) })
	b.emptyPocket(now)
	if b.ended == Again || b.late > 0 || !b.owes() {
		return b.step(nil)
	}
	return b.step(b.settlement(now))
}

// Owed is what a retired buyer has left to settle.
type Owed struct {
	Refund, Charge, Used Tokens // by position
	Acquired             int64
	Born                 bucket.Num // the life of the record that the refunds belong to
}

// Owed takes out what waits for a write.
func (b *Buyer) Owed() Owed {
	w := newWrite(len(b.rates))
	b.load(w)
	return Owed{Refund: w.Refund, Charge: w.Charge, Used: w.Used, Acquired: w.Acquired, Born: w.Born}
}

// Rest reports whether nothing is under way, in the pocket or waiting: the buyer may be dropped.
func (b *Buyer) Rest() bool {
	return b.flight == nil && b.late == 0 && len(b.queue) == 0 && b.pocket.isZero() && !b.owes()
}
