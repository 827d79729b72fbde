package settle

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// settleOwed settles what a desk has left when it ended: its pocket, what callers that have left had been charged, and usage that
// was not written yet. While the store is away, that waits, as it would at a desk, until the limiter closes. The pauses are those of
// a write-back.
func (s *Settler) settleOwed(b *charge.State, set *limitset.Set, owed pocket.Owed) {
	p := newPart(b, set, owed.Born)
	used := owed.Acquired != 0
	for i := range p.Required.Terms {
		a := p.at(i)
		a.held, a.pending = owed.Refund[i], owed.Charge[i]-owed.Refund[i]
		used = used || owed.Used[i] != a.pending
	}
	if used {
		p.rarely().owed = &owed
	}
	if !p.pending() {
		return
	}
	s.Start(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx) // as in WriteBack.Run
		defer cancel()
		for s.settleAside(ctx, p, ctx.Err() == nil) {
			if pause.For(ctx, writeBackRetry) != nil {
				s.Store.CloseBreaker() // the store gets one more chance
			}
		}
	})
}

// SettleAside settles a part that belongs to no lease, also while the limiter closes. What cannot be settled is lost.
func (s *Settler) SettleAside(ctx context.Context, p *Part) { s.settleAside(ctx, p, false) }

// settleAside is SettleAside. If the part may wait, and certainly was not written, nothing is lost, and it returns true.
func (s *Settler) settleAside(ctx context.Context, p *Part, mayWait bool) (waits bool) {
	inner, cancel := s.Store.LastBudget(ctx)
	defer cancel()
	err := s.settleDirectly(inner, p, s.Now())
	switch {
	case err == nil:
		return false
	case mayWait && p.unsure() == nil && store.MayPass(err):
		return true
	}
	s.ReportLost(charge.UsageLost, p.state.ID, p.usageBeyond(nil), err) // not what was reported by the settlement
	s.Lose(p, err)
	return false
}
