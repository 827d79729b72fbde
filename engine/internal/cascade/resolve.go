package cascade

import (
	"cmp"
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
)

// Resolve makes the charges: one for each entity on the path that has limits. It returns ErrNoLimits if none has any, and an error for
// a bad request or a clock that is out of range.
func (p *Path) Resolve(ctx context.Context, s *settle.Settler) (err error) {
	if !bucket.InRange(p.Now) {
		return charge.BadClock(p.Now)
	}
	nonce := backend.Num{}
	if !s.NoIO { // without I/O no reply is ever lost
		nonce = charge.Random()
	}
	id, names := p.ID, 0
	p.N, p.Root, p.Takes, p.Beyond, p.DenialKnown = 0, nil, false, false, false
	for depth := 0; depth == 0 || id.Entity != ""; depth++ {
		if depth == MostPath {
			return TooLong(p.ID.Entity)
		}
		b, conf := s.States.Get(&id), (*charge.Config)(nil)
		if b != nil && p.Plain && s.Follow.Fresh(b.Seq.Load(), p.Now) {
			conf = b.Config.Load()
		}
		if conf == nil {
			if b, conf, err = p.stateOf(ctx, s, &id, b); err != nil {
				return err
			}
		}
		if depth == 0 {
			p.Root = b
		}
		c := &p.Charges[p.N]
		c.Begin(b, conf, depth == 0)
		c.Nonce = nonce
		named, err := s.Prepare(c)
		if err != nil {
			return err
		}
		if c.Required != nil {
			names = max(names, named)
			if c.Illegal {
				return p.Check()
			}
			p.N++
			p.Takes, p.Beyond, p.DenialKnown = p.Takes || c.Asks != 0, p.Beyond || c.Beyond, p.DenialKnown || c.DenialKnown
		}
		id.Entity = conf.Parent
	}
	if p.N == 0 {
		return noLimits(p.ID)
	}
	if names < len(p.Consume) {
		return p.checkNames()
	}
	return nil
}

// stateOf returns the state of a bucket, which it creates if b is nil, and its configuration. b is what the cache has. For a bad
// request nothing is created or read.
func (p *Path) stateOf(ctx context.Context, s *settle.Settler, id *charge.ID, b *charge.State) (*charge.State, *charge.Config, error) {
	if p.Root == nil && (b == nil || b.Config.Load() == nil || !p.Plain) {
		if err := p.Check(); err != nil {
			return nil, nil, err
		}
	}
	if b == nil {
		var err error
		if b, err = s.StateAt(id); err != nil {
			return nil, nil, err
		}
	}
	if refused := s.Store.Refused(ctx); refused != nil {
		conf, err := s.KnownConfig(b, p.Now)
		if conf == nil {
			err = cmp.Or(err, refused)
		}
		return b, conf, err
	}
	conf, err := s.ConfigOf(p.Budget(ctx), b, p.Now)
	return b, conf, err
}

// checkNames returns what is wrong with names that no bucket of the path has, and with their amounts.
func (p *Path) checkNames() error {
	if err := p.Check(); err != nil {
		return err
	}
	var unknown, known []string
	for i := range p.N {
		for _, t := range p.Charges[i].Required.Terms {
			known = append(known, t.Name)
		}
	}
	for name := range p.Consume {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return charge.UnknownLimits(p.ID, unknown, known)
}
