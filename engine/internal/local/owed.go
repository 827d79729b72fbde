package local

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Owed is what a local bucket owes to the store's: a write-back.
type Owed struct {
	ID
	Configured *limitset.Set // the limits by which the bucket was judged last, and others of which something is owed
	Items      []Item
	Acquired   int64
	Born       num.Int // the life of the record that Held and refunds are of; Done takes the one that was written
	Tag        any     // the caller's

	state *state
}

// Item is what is owed of one limit, in tokens.
type Item struct {
	Name string
	Used int64 // what the counter of usage grows by; below zero if more was refunded than consumed
	Due  int64 // what the bucket is charged, without the token check; below zero for a refund
	Held int64 // what write-backs have charged and not refunded; Done takes what it is then

	term *schema.Term
	rate bucket.Rate
}

// Next returns a write-back that the caller makes, and reports by Done, Undo, Again or Drop. It returns nil if there is none; then the
// caller must not call Next again until it is told to start. Several goroutines may make write-backs at the same time: all of
// them then stop at nil.
func (b *Buckets) Next(now int64) *Owed {
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.queue) == 0 {
		b.queue, b.writing = nil, false
		return nil
	}
	s := b.queue[0]
	b.queue[0], b.queue = nil, b.queue[1:]
	s.queued, s.sending = false, true
	if s.owed == nil {
		s.owed = s.takeOwed(now)
	}
	return s.owed
}

// takeOwed takes out what is owed.
func (s *state) takeOwed(now int64) *Owed {
	o := &Owed{ID: s.id, Configured: s.limitsOwed(), Acquired: s.acquired, Born: s.born, state: s}
	s.acquired = 0
	for i := range s.accounts {
		a := &s.accounts[i]
		if a.used == 0 {
			continue
		}
		due := min(a.used, max(0, a.deficit(now)))
		if a.used < 0 {
			due = -min(-a.used, a.held)
		}
		o.Items = append(o.Items, Item{Name: a.term.Name, Used: a.used, Due: due, Held: a.held, term: a.term, rate: a.rate})
		a.used = 0
	}
	return o
}

// limitsOwed are the limits by which the bucket was judged last, and those of other requests of which something is owed, as far as there
// is room: limits that a request has brought, or, if the last one had an Override, that are stored.
func (s *state) limitsOwed() *limitset.Set {
	set := s.configured
	terms := slices.Clone(set.Terms)
	for i := range s.accounts {
		if a := &s.accounts[i]; a.used != 0 && set.Index(a.term.Name) < 0 && len(terms) < schema.MaxLimits {
			terms = append(terms, *a.term)
		}
	}
	if len(terms) == len(set.Terms) {
		return set
	}
	return limitset.New(terms)
}

// Done says that a write-back is made. start is that of Take.
func (b *Buckets) Done(now int64, o *Owed) (start bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	s := o.state
	if s.born != o.Born { // what was charged to an earlier life is not to be refunded
		for i := range s.accounts {
			s.accounts[i].held = 0
		}
		s.born = o.Born
	}
	for _, item := range o.Items {
		if i := s.index(item.Name); i >= 0 {
			s.accounts[i].held = item.Held
		}
	}
	return b.endLocked(now, s)
}

// Undo says that a write-back is certainly not made: what it was for is owed again, and the next one is computed when it is made.
// start is that of Take.
func (b *Buckets) Undo(now int64, o *Owed) (start bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	s := o.state
	s.acquired += o.Acquired
	for _, item := range o.Items {
		i := s.index(item.Name)
		if i < 0 { // it was full, and not needed any more
			i = len(s.accounts)
			s.accounts = append(s.accounts, account{term: item.term, rate: item.rate})
		}
		s.accounts[i].used += item.Used
		s.accounts[i].held = item.Held // the account may have been left out and made again meanwhile
	}
	return b.endLocked(now, s)
}

// Again says that a write-back may have been made, and is to be tried again as it is, after the others. start is that of Take.
func (b *Buckets) Again(now int64, o *Owed) (start bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.requeueLocked(now, o.state)
}

// Drop says that a write-back will never be made. start is that of Take.
func (b *Buckets) Drop(now int64, o *Owed) (start bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.endLocked(now, o.state)
}

func (b *Buckets) endLocked(now int64, s *state) (start bool) {
	s.owed = nil
	return b.requeueLocked(now, s)
}

// requeueLocked ends a try to write back. start is that of Take.
func (b *Buckets) requeueLocked(now int64, s *state) (start bool) {
	s.sending = false
	b.owing--
	return b.putLocked(now, s)
}
