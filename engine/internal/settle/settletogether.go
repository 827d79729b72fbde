package settle

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// settlements are those that wait while another one of their bucket is under way. Whoever comes first writes for itself. Those who
// come meanwhile wait, and then one of them writes the sum for all whose parts are alike. Guarded by the settler's lock.
type settlements struct {
	waits []*settlement // in order of arrival
}

// settlement is a lease's part that waits. It receives on one of its channels, once it is no longer among those that wait.
type settlement struct {
	*Part
	charges bool               // it has charges only, or else refunds only
	turn    chan []*settlement // to write for these, of which it is the first
	outcome chan error         // of the write that another one has made for it; errAlone: it has to write for itself
}

// mostSettlingWait is how long a settlement waits for another's write. One that takes longer holds up nobody.
const mostSettlingWait = 100 * time.Millisecond

// settleTogether is Settle by a write that the part may share with those of other leases of this process. Parts that have both
// charges and refunds are written alone, and so is a charge that is sent again.
func (s *Settler) settleTogether(ctx context.Context, p *Part, now int64) error {
	if s.NoIO || !p.mayShare() {
		return s.settleDirectly(ctx, p, now)
	}
	b := p.state
	mine := s.join(p)
	if mine == nil {
		defer s.next(b)
		return s.settleDirectly(ctx, p, now)
	}
	group, err := s.wait(ctx, mine, b)
	if group != nil {
		err = s.settleGroup(ctx, b, group, now)
	}
	if errors.Is(err, errAlone) {
		return s.settleDirectly(ctx, p, now)
	}
	return err
}

// mayShare reports whether the part may share a write with others.
func (p *Part) mayShare() bool {
	ups, downs := p.directions()
	return ups != downs && p.unsure() == nil && p.owed() == nil && len(p.late()) == 0
}

// directions reports whether charges and refunds are due.
func (p *Part) directions() (ups, downs bool) {
	downs = p.retracts() != 0
	for i := range p.Size() {
		n := p.due(i)
		ups, downs = ups || n > 0, downs || n < 0
	}
	return ups, downs
}

// join lets the part wait with others, if a settlement of its bucket is under way. It returns nil if there is none.
func (s *Settler) join(p *Part) *settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.waiting[p.state]
	if all == nil {
		s.waiting[p.state] = new(settlements)
		return nil
	}
	charges, _ := p.directions()
	mine := &settlement{Part: p, charges: charges, turn: make(chan []*settlement, 1), outcome: make(chan error, 1)}
	all.waits = append(all.waits, mine)
	return mine
}

// next lets the first of those who wait write for all that are like it.
func (s *Settler) next(b *charge.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.waiting[b]
	if len(all.waits) == 0 {
		delete(s.waiting, b)
		return
	}
	var group, others []*settlement
	for _, other := range all.waits {
		if other.isLike(all.waits[0]) {
			group = append(group, other)
		} else {
			others = append(others, other)
		}
	}
	all.waits = others
	group[0].turn <- group
}

// isLike reports whether one write can be for both.
func (s *settlement) isLike(other *settlement) bool {
	return s.charges == other.charges && s.Required == other.Required && s.born == other.born
}

// wait waits for another's write. It returns the group that this settlement has to write for, or the outcome of the write that
// another one has made for it.
func (s *Settler) wait(ctx context.Context, mine *settlement, b *charge.State) ([]*settlement, error) {
	ctx, cancel := context.WithTimeout(ctx, mostSettlingWait)
	defer cancel()
	select {
	case group := <-mine.turn:
		return group, nil
	case err := <-mine.outcome:
		return nil, err
	case <-ctx.Done():
	}
	if s.leave(mine, b) {
		return nil, errAlone
	}
	select { // the write is under way, within the budget of a lease that came before
	case group := <-mine.turn:
		return group, nil
	case err := <-mine.outcome:
		return nil, err
	}
}

// leave ends the wait of a settlement. It returns false if its write is under way already.
func (s *Settler) leave(mine *settlement, b *charge.State) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.waiting[b]
	if all == nil {
		return false
	}
	at := slices.Index(all.waits, mine)
	if at >= 0 {
		all.waits = slices.Delete(all.waits, at, at+1)
	}
	return at >= 0
}

// settleGroup writes the sum of a group, for its first one, and tells the others what became of it.
func (s *Settler) settleGroup(ctx context.Context, b *charge.State, group []*settlement, now int64) (err error) {
	defer s.next(b)
	if len(group) == 1 {
		return s.settleDirectly(ctx, group[0].Part, now)
	}
	err = errAlone
	defer func() { // also if the store panics
		for _, other := range group[1:] {
			other.outcome <- err
		}
	}()
	w := &sharedCharge{free: make(chan struct{}, 1), sum: newPart(b, group[0].Required, group[0].born)}
	if !w.add(group) {
		return err
	}
	if err = s.settleDirectly(ctx, w.sum, now); err != nil && w.sum.unsure() == nil {
		for _, other := range group {
			w.drop(other.Part)
		}
		err = errAlone // nothing was written
		return err
	}
	for _, other := range group {
		w.share(other.Part)
	}
	w.release()
	return err
}

// sharedCharge is what several leases write together. If the outcome of a charge is unknown, all of it is sent again by the
// first lease that settles again.
type sharedCharge struct {
	free chan struct{} // has one value while nobody uses sum
	sum  *Part
}

// use waits until nobody else uses the sum.
func (w *sharedCharge) use(ctx context.Context) error {
	select {
	case <-w.free:
		return nil
	case <-ctx.Done():
		return store.NotSent(ctx)
	}
}

func (w *sharedCharge) release() { w.free <- struct{}{} }

// add adds up what is due of a group. It returns false if that is out of range.
func (w *sharedCharge) add(group []*settlement) bool {
	retracts := int64(0)
	for _, s := range group {
		retracts += s.retracts()
	}
	w.sum.Retract(retracts)
	for i := range w.sum.Size() {
		a := w.sum.at(i)
		for _, s := range group {
			if a.pending += s.due(i); max(a.pending, -a.pending) > bucket.MaxDebt {
				return false
			}
		}
	}
	return true
}

// drop drops what had nowhere to go, or is lost, in a part which the write was for: that is reported already.
func (w *sharedCharge) drop(p *Part) {
	for i := range w.sum.Size() {
		if a := w.sum.at(i); a.void != 0 || a.gone != 0 {
			p.drop(i)
		}
	}
}

// share makes the outcome of the write that of a part which it was for.
func (w *sharedCharge) share(p *Part) {
	w.drop(p)
	if u := w.sum.unsure(); u != nil {
		p.markUnsure(u.nonce)
		p.rare.unsure.shared = w
		return
	}
	p.begin(w.sum.born)
	p.done()
}
