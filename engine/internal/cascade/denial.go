package cascade

import (
	"context"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
)

// DenyKnown denies a request without a write, because the last seen records suffice. Arrival times only grow, except by refunds, so
// such a denial stays right until its time, and DenialTTL bounds how long another process's refund may go unnoticed.
func (p *Path) DenyKnown(ctx context.Context, s *settle.Settler) error {
	for i := range p.N {
		if c := &p.Charges[i]; c.DenialKnown {
			c.Result = charge.Denied
		}
	}
	return p.readOthers(ctx, s)
}

// DenyBeyond denies a request of which a charge is above a capacity.
func (p *Path) DenyBeyond(ctx context.Context, s *settle.Settler) error {
	if err := p.ConfirmBeyond(ctx, s); err != nil {
		return err
	}
	return p.DenyKnown(ctx, s)
}

// ConfirmBeyond reads the configuration of charges above a capacity again, which may just have been raised, unless it is new enough or
// the request has an override. It returns ErrRestart if a charge is no longer above one.
func (p *Path) ConfirmBeyond(ctx context.Context, s *settle.Settler) error {
	for i := range p.N {
		c := &p.Charges[i]
		overridden := c.Root && len(p.Override) > 0
		if !c.Beyond || overridden || c.ConfigIsYoung(youngConfig(s)) {
			continue
		}
		if err := s.Reconfigure(ctx, c); err != nil {
			return err
		}
		if !c.AssumeRequired() {
			return charge.ErrRestart
		}
	}
	return nil
}

// youngConfig is how old configuration may be if a decision for ever (never fits) rests on it, in ns.
func youngConfig(s *settle.Settler) int64 { return int64(min(s.DenialTTL, time.Second)) }

// OnlyDenier returns the limit that denies, if the last seen records show that exactly one does, and else nil. It is faster than
// Fill, which compares all limits and takes longer than the denial.
func (p *Path) OnlyDenier() (denies *charge.Charge, index int) {
	for k := range p.N {
		first, n, known := p.Charges[k].Deniers()
		switch {
		case !known, n > 1, n == 1 && denies != nil:
			return nil, 0
		case n == 1:
			denies, index = &p.Charges[k], first
		}
	}
	return denies, index
}

// Fill adds to s, which is empty, the state of every limit of every bucket on the path as the decision saw it. It returns how
// long until all of them admit the request, and false if they never will. After an error s is of no use.
func (p *Path) Fill(k *charge.Charger, s *charge.Snapshot) (wait time.Duration, fits bool, err error) {
	s.Now, fits = p.Now, true
	for i := range p.N {
		after, within, err := k.Fill(&p.Charges[i], s)
		if err != nil {
			return 0, false, err
		}
		wait, fits = max(wait, after), fits && within
	}
	if !fits {
		wait = math.MaxInt64
	}
	return wait, fits, nil
}
