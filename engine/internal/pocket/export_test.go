package pocket

// The tests look at these from outside.

func (b *Buyer) Pockets() Tokens { return b.pocket }
func (b *Buyer) Handed() Tokens  { return b.handed.sums }
func (b *Buyer) Pause() int64    { return b.pause }
func (b *Buyer) Scarce() bool    { return b.scarce }
func (b *Buyer) Queued() int     { return len(b.queue) }
func (b *Buyer) UnderWay() int {
	n := b.late
	if b.flight != nil {
		n++
	}
	return n
}
func (b *Buyer) Used() Tokens    { return b.used }
func (b *Buyer) Acquired() int64 { return b.acquired }
func (b *Buyer) Counts() counts  { return b.counts }

// Assets are the tokens that are charged on the record and neither handed out nor under way.
func (b *Buyer) Assets() (sum int64) {
	for i := range b.pocket {
		sum += b.pocket[i] - b.owed[i]
	}
	return sum
}

func (w *Write) Need() Tokens     { return w.need }
func (w *Write) Reserved() Tokens { return w.reserved }
func (w *Write) Extra() Tokens    { return w.extra }
func (w *Write) Left() Tokens     { return w.left }
func (w *Write) Doubtful() Tokens { return w.doubtful }

func Scale(a, b, c int64) int64 { return scale(a, b, c) }
