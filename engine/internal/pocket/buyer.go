package pocket

import (
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// Options are what a limiter says about hot buckets. The zero value shares writes, and buys nothing in advance.
type Options struct {
	// Prefetch makes writes buy for the callers that come next. Default: off.
	Prefetch bool
	// Target is how long a block lasts, at most a tenth of MaxAge. Default: DefaultTarget.
	Target time.Duration
	// MaxAge is the window A, at least 1 s. Default: DefaultMaxAge.
	MaxAge time.Duration
	// MaxShare is the part of the expected tokens that one forecast takes where others write, too, in thousandths: 1 to
	// 1,000. Default: DefaultMaxShare.
	MaxShare int64
	// DenialTTL is how long the last seen record proves a denial. Default: DefaultDenialTTL.
	DenialTTL time.Duration
}

func (o Options) withDefaults() Options {
	set := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	set(&o.Target, DefaultTarget)
	set(&o.MaxAge, DefaultMaxAge)
	set(&o.DenialTTL, DefaultDenialTTL)
	if o.MaxShare == 0 {
		o.MaxShare = DefaultMaxShare
	}
	return o
}

// Buyer writes for one bucket, one limit set and one process.
type Buyer struct {
	rates    []bucket.Rate
	opts     Options
	prefetch bool
	age      int64  // A, ns
	fill     int64  // the shortest refill time of a limit that is prefetched, ns
	exact    uint16 // by bit: limits that are not prefetched

	seen   lastSeen
	life   uint32 // counts the lives of the record that were seen
	others traffic

	queue  []*Caller
	flight *Write // that others wait for, nil: none
	late   int    // writes under way that nobody waits for

	pocket  Tokens
	block   Tokens
	low     Tokens // with less in the pocket, Ahead is due
	stale   bool   // the pocket may exceed the block
	demand  *window
	handed  *window
	lastAsk int64
	latency int64 // usual, of a write

	pause      int64 // between two writes while tokens are scarce
	pauseEnd   int64
	quietUntil int64 // after a failure nothing is written unasked before this
	scarce     bool
	refused    int // writes in a row

	owed     Tokens // these wait for a write: above zero to be charged, below zero to be refunded
	used     Tokens
	acquired int64
	owedAt   int64 // since when tokens wait, 0: none do
	usedAt   int64 // since when usage waits, 0: none does

	ended   Verdict // Closed or Again once the buyer has ended, Pending until then
	decided []*Caller
	chosen  []*Caller // by walk
	ledger  ledger    // of walk
	counts  counts
	lost    Lost
}

// counts are totals of a buyer's life, by which tests check the accounts.
type counts struct {
	Late int64 // writes that no longer held up others
	Lost int64 // tokens of refunds whose outcome is unknown, and of pockets of another life
}

// Lost is what may be missing in the store, because the outcome of a write is unknown or the buyer has closed, by position.
type Lost struct {
	Refund Tokens // refunds
	Used   Tokens // usage, corrections of leases included
}

// New makes the buyer of a bucket with these rates, one for each limit of its limit set, at most 16.
func New(rates []bucket.Rate, opts Options) *Buyer {
	n := len(rates)
	b := &Buyer{rates: rates, opts: opts.withDefaults(), prefetch: opts.Prefetch, latency: firstLatency}
	b.age = int64(b.opts.MaxAge)
	b.seen.tats, b.lost = make([]bucket.Arrival, n), Lost{make(Tokens, n), make(Tokens, n)}
	b.pocket, b.block, b.low = make(Tokens, n), make(Tokens, n), make(Tokens, n)
	b.owed, b.used = make(Tokens, n), make(Tokens, n)
	b.fill = int64(rates[0].FillTime())
	for i := range rates {
		b.fill = min(b.fill, int64(rates[i].FillTime()))
		if rates[i].FillTime() < b.opts.Target { // its capacity is below a block
			b.exact |= 1 << i
		}
	}
	if b.prefetch {
		b.demand, b.handed = newWindow(b.age, n), newWindow(b.age, n)
		b.setPause()
	}
	return b
}

// Ask decides on a caller, or queues it. See Step.
func (b *Buyer) Ask(now int64, c *Caller) Step {
	c.Verdict, c.Behind, c.waits, c.passed, c.losses, c.tries = Pending, c.Behind[:0], false, false, 0, 0
	if b.ended != Pending {
		c.Verdict = b.ended
		return Step{}
	}
	if b.prefetch {
		b.countDemand(now, c)
		if len(b.queue) == 0 && b.inPocket(now, c.Need) {
			b.handOut(now, c)
			return Step{Send: b.ahead(now)}
		}
	}
	b.begin()
	if !b.prefetch && b.fresh(now) && !b.holds(now, c.Need) { // no write under way can change that
		b.deny(c, b.until(now, c.Need))
		return Step{}
	}
	b.queue = append(b.queue, c)
	if b.holdsUp(now) {
		c.waits = true
		return Step{}
	}
	step := b.advance(now)
	c.waits = c.Verdict == Pending
	return step
}

// Denies reports whether Ask would deny the request from memory, and until when, without any effect. Where a request has
// several buckets, the driver calls it for all of them before it asks one.
func (b *Buyer) Denies(now int64, need Tokens) (until int64, denied bool) {
	waits := b.prefetch && b.flight != nil && now < b.lateAt(b.flight)
	if b.ended != Pending || waits || now >= b.seen.debtUntil && b.pocket.covers(need) {
		return 0, false
	}
	if b.fresh(now) && !b.holds(now, need) {
		return b.notBefore(now, b.until(now, need)), true
	}
	return b.pauseEnd, b.pausing(now)
}

// countDemand counts what was asked for, and cuts the pocket to the block as it is now.
func (b *Buyer) countDemand(now int64, c *Caller) {
	b.lastAsk = now
	if b.demand.roll(now) {
		b.handed.roll(now)
		b.stale = true
	}
	b.demand.add(c.Need, 1)
	if b.stale {
		b.cut(now)
	}
}

// inPocket reports whether the pocket can serve the request. A limit in debt blocks every request of its bucket, also one that asks
// nothing of it: so no pocket serves before the record is known.
func (b *Buyer) inPocket(now int64, need Tokens) bool {
	if !b.seen.known || now < b.seen.debtUntil {
		return false
	}
	return b.pocket.covers(need) || b.fillPocket(need)
}

// fillPocket moves tokens that wait to be refunded into the pocket, as far as the block allows, and reports whether it
// then covers the request.
func (b *Buyer) fillPocket(need Tokens) bool {
	if b.owed.isZero() {
		return false
	}
	b.setBlock()
	for i, n := range need {
		if b.pocket[i] < n {
			more := max(0, min(-b.owed[i], b.block[i]-b.pocket[i]))
			b.owed[i] += more
			b.pocket[i] += more
		}
	}
	b.tidy()
	return b.pocket.covers(need)
}

// handOut serves a caller from the pocket.
func (b *Buyer) handOut(now int64, c *Caller) {
	b.pocket.sub(c.Need)
	b.handed.add(c.Need, 1)
	b.used.add(c.Need)
	b.acquired += c.acquires()
	b.report(now)
	c.Born = b.seen.born
	b.decide(c, Admitted)
}

// holdsUp reports whether a write is under way that callers wait for. One that is late no longer holds up others, unless
// there are two of them already.
func (b *Buyer) holdsUp(now int64) bool {
	if b.flight == nil {
		return false
	}
	if b.late >= mostLate || now < b.lateAt(b.flight) {
		return true
	}
	b.late++
	b.counts.Late++
	b.flight = nil
	return false
}

// lateAt is when a write under way becomes late.
func (b *Buyer) lateAt(w *Write) int64 {
	return w.first + max(lateAfter, lateTimes*b.latency)
}

// Leave takes a caller out whose context has ended; it may be used again at once. If its tokens are on their way, they
// are refunded. A caller that has its verdict stays as it is.
func (b *Buyer) Leave(now int64, c *Caller) {
	if c.Verdict != Pending {
		return
	}
	c.waits = false
	if w := c.write; w != nil {
		w.callers[c.place] = nil
		w.left.add(c.Need)
		w.leftCount++
		w.leftAcquired += c.acquires()
		c.write = nil
		return
	}
	if i := slices.Index(b.queue, c); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
	}
}
