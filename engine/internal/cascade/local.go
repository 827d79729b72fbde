package cascade

import (
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
)

// DecideLocally decides a request, which was checked, by the local buckets of its path, without I/O. outage is why the store has not
// decided it; it is part of the error if they cannot decide either.
func (p *Path) DecideLocally(w *settle.WriteBack, outage error) (admitted bool, err error) {
	var path [MostPath]local.Charge
	if err := p.resolveLocally(w, &path); err != nil {
		return false, err
	}
	if p.N == 0 {
		return false, Undecided(outage, errLimitsUnknown)
	}
	for i := range p.N {
		if c := &p.Charges[i]; c.Beyond {
			return false, Undecided(outage, beyondShare(c))
		}
	}
	verdict, start := w.Buckets.Take(p.Now, path[:p.N], !p.Within)
	if start {
		w.Start(w.Run)
	}
	if verdict == local.Full {
		return false, Undecided(outage, errLocalFull)
	}
	p.Admitted = verdict == local.Admitted
	for i := range p.N {
		p.Charges[i].Result = charge.Denied
		if p.Admitted {
			p.Charges[i].Result = charge.Applied
		}
	}
	return p.Admitted, nil
}

// resolveLocally makes the charges of a path from what is in memory, without I/O: none if some limits of it are not known. If
// nothing is known of the request's own entity, the limits that the request brings suffice, and parents do not count.
func (p *Path) resolveLocally(w *settle.WriteBack, path *[MostPath]local.Charge) error {
	if !bucket.InRange(p.Now) {
		return charge.BadClock(p.Now)
	}
	id, names := p.ID, 0
	p.N, p.Root = 0, nil
	for depth := 0; depth < MostPath && (depth == 0 || id.Entity != ""); depth++ {
		b, err := w.StateAt(&id)
		if err != nil {
			return err
		}
		conf, err := w.KnownConfig(b, p.Now)
		if err != nil {
			return err
		}
		if depth == 0 {
			p.Root = b
		}
		if conf == nil && depth == 0 {
			conf = new(charge.Config)
		}
		if conf == nil {
			p.N = 0
			return nil
		}
		c := &p.Charges[p.N]
		c.Begin(b, conf, depth == 0)
		if err := w.Require(c); err != nil {
			return err
		}
		if c.Required != nil {
			names = max(names, assumeLocally(w, c, &path[p.N]))
			p.N++
		}
		id.Entity = conf.Parent
	}
	if p.N > 0 && names < len(p.Consume) {
		return p.checkNames()
	}
	return nil
}

// assumeLocally makes the charge one of a local bucket. It returns how many names of the request its limits have.
func assumeLocally(w *settle.WriteBack, c *charge.Charge, to *local.Charge) (named int) {
	configured := c.Required
	limits := w.Buckets.Limits(configured)
	named = c.AssumeLocal(limits)
	*to = local.Charge{
		ID: local.ID{Entity: c.State.ID.Entity, Resource: c.State.ID.Resource}, Configured: configured, Limits: limits,
		Need: c.Need[:len(limits.Terms)], Tats: &c.Arrivals,
	}
	return named
}
