package settle

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// unsure is a charge whose outcome is unknown: it is neither held nor pending. A part has at most one, and it is settled
// before the lease writes anything else: that would overwrite the nonce by which the record shows whether it was made.
type unsure struct {
	nonce    backend.Num
	sent     map[string]int64
	unwanted bool          // if it was made, it is refunded: its Consume has failed, or the lease is rolled back
	shared   *sharedCharge // the charge that it is a share of; nil: it is the part's own
}

// unsure is the charge of unknown outcome, nil if there is none.
func (p *Part) unsure() *unsure {
	if p.rare == nil {
		return nil
	}
	return p.rare.unsure
}

// IsUnsure reports whether there is a charge of unknown outcome.
func (p *Part) IsUnsure() bool { return p.unsure() != nil }

// markUnsure makes all charges that are pending one of unknown outcome, sent under nonce.
func (p *Part) markUnsure(nonce backend.Num) {
	if p.unsure() != nil {
		return // it was that one which was sent again
	}
	sent := map[string]int64{}
	for i := range p.Size() {
		if a := p.at(i); a.pending > 0 {
			sent[p.Name(i)], a.pending = a.pending, 0
		}
	}
	p.rarely().unsure = &unsure{nonce: nonce, sent: sent}
}

// sent is how much of the i-th limit was charged with an unknown outcome, and is still wanted.
func (p *Part) sent(i int) int64 {
	if u := p.unsure(); u != nil && !u.unwanted {
		return u.sent[p.Name(i)]
	}
	return 0
}

// due is how much of the i-th limit the next write moves: of a charge of unknown outcome, which is written alone, or of
// what is pending.
func (p *Part) due(i int) int64 {
	if u := p.unsure(); u != nil {
		return u.sent[p.Name(i)]
	}
	return p.at(i).pending
}

// done notes that what was due was written.
func (p *Part) done() {
	u := p.unsure()
	for i := range p.Size() {
		a, n := p.at(i), p.due(i)
		a.held += n
		if u == nil {
			a.pending = 0
		}
	}
	if u != nil {
		p.rare.unsure = nil
	}
	if p.rare != nil {
		p.rare.retracts = 0
	}
}

// SettleUnsure settles a charge of unknown outcome. A wanted one is sent again under its nonce. An unwanted one becomes
// pending to be refunded if the record shows that it was made, and is counted as lost if not.
func (s *Settler) SettleUnsure(ctx context.Context, p *Part, now int64) error {
	u, sent := p.unsure(), p
	if u == nil {
		return nil
	}
	if u.shared != nil {
		if err := u.shared.use(ctx); err != nil {
			return err
		}
		defer u.shared.release()
		sent = u.shared.sum
	}
	switch {
	case sent.unsure() == nil: // another lease has settled it
	case !u.unwanted:
		if err := s.Settle(ctx, sent, now); err != nil {
			return err
		}
	default:
		made, err := s.wasMade(ctx, sent)
		if err != nil {
			return err
		}
		if !made {
			p.rare.unsure = nil
			s.ReportUnrefunded(p.state, u.sent)
			return nil
		}
		sent.addLate(u)
		sent.done()
	}
	if sent != p {
		u.shared.share(p)
	}
	if u.unwanted {
		p.refundSent(u)
	}
	return nil
}

// addLate makes room for limits of a charge of unknown outcome that the part does not have.
func (p *Part) addLate(u *unsure) {
	for name := range u.sent {
		if p.Index(name) < 0 {
			p.add(name)
		}
	}
}

// refundSent makes a charge pending to be refunded, which was made.
func (p *Part) refundSent(u *unsure) {
	for name, n := range u.sent {
		p.amount(name).pending -= n
	}
}

// wasMade reads the bucket, and reports whether it shows that the part's charge of unknown outcome was made.
func (s *Settler) wasMade(ctx context.Context, p *Part) (bool, error) {
	r, err := s.Store.ReadOne(ctx, s.Key(p.state))
	if err != nil {
		return false, err
	}
	if nonce, ok := r.Num(schema.Nonce); !ok || nonce != p.unsure().nonce {
		return false, nil
	}
	born, _ := r.Num(schema.Born)
	p.begin(born)
	return true, nil
}

// UnknownCharge is a charge of unknown outcome that no part holds, with its bucket.
type UnknownCharge struct {
	state *charge.State
	*unsure
}

// UnknownOf is what a charge may have charged that was not admitted. It is not wanted.
func UnknownOf(c *charge.Charge) UnknownCharge {
	sent := charge.Named(c.Assumed, c.Need[:len(c.Assumed.Terms)])
	return UnknownCharge{c.State, &unsure{nonce: c.Nonce, sent: sent, unwanted: true}}
}

// KeepUnknown makes the lease whose parts these are refund what a charge may have charged, when it is settled. If it cannot, the
// charge is counted as lost.
func (s *Settler) KeepUnknown(parts []*Part, u UnknownCharge) {
	for _, p := range parts {
		if p.state.ID == u.state.ID {
			if p.unsure() == nil {
				p.rarely().unsure = u.unsure
				return
			}
			break
		}
	}
	s.ReportUnrefunded(u.state, u.sent)
}
