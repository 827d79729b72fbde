package cascade

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Inspect resolves the path and reads its buckets. As an acquire does, it makes sure first that what never fits still does not.
func (p *Path) Inspect(ctx context.Context, s *settle.Settler) error {
	for range MostRestarts {
		err := p.Resolve(ctx, s)
		if err == nil && p.Beyond {
			err = p.ConfirmBeyond(ctx, s)
		}
		switch {
		case err == nil:
			return p.ReadUnseen(ctx, s, false)
		case !isRestart(err):
			return err
		}
	}
	return store.ErrContention
}

// ReadUnseen fills in the records of charges whose state is not known: by reading them, or, with recall, from fresh last seen records.
func (p *Path) ReadUnseen(ctx context.Context, s *settle.Settler, recall bool) error {
	var keys []backend.Key
	var unseen []*charge.Charge
	for i := range p.N {
		c := &p.Charges[i]
		if c.Result == charge.Pending && !(recall && s.UseLastSeen(c)) {
			keys, unseen = append(keys, s.Key(c.State)), append(unseen, c)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	out, err := s.Store.Read(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range unseen {
		if err := s.UseRecord(ctx, c, &out[i]); err != nil {
			return err
		}
	}
	return nil
}

// DecideByReading judges the charges by reading their buckets. Nothing is written, unless the request is denied and a bucket has other
// limits than it should: then it is converted, as by any denial, else its old rate would live on.
func (p *Path) DecideByReading(ctx context.Context, s *settle.Settler) (admitted bool, err error) {
	if err := p.ReadUnseen(ctx, s, false); err != nil {
		return false, err
	}
	if admitted, err = p.recordsAdmit(s); admitted || err != nil {
		return admitted, err
	}
	return false, p.convertRead(ctx, s)
}

// ConvertAll resolves the path, and converts its buckets that have other limits than they should.
func (p *Path) ConvertAll(ctx context.Context, s *settle.Settler) error {
	if err := p.Inspect(ctx, s); err != nil {
		return err
	}
	return p.convertRead(ctx, s)
}

// convertRead converts the buckets that were read. It only reports what fails, unless the charges must not be used any more.
func (p *Path) convertRead(ctx context.Context, s *settle.Settler) error {
	for i := range p.N {
		c := &p.Charges[i]
		c.Acquire = false
		if err := s.ConvertUntilDone(ctx, c); err != nil { // a denial stands all the same
			if p.IsAbandoned() {
				return err
			}
			s.Report(ctx, charge.Report{Kind: charge.Contention, Bucket: c.State.ID, Err: err})
		}
	}
	return nil
}

func (p *Path) recordsAdmit(s *settle.Settler) (admitted bool, err error) {
	for i := range p.N {
		if admitted, err := s.AdmitsByRecord(&p.Charges[i]); !admitted || err != nil {
			return false, err
		}
	}
	return true, nil
}

// readOthers reads the buckets whose state is not known, for the statuses of a denial. If they cannot be read the request
// is denied all the same, and the statuses show these buckets as they were last seen.
func (p *Path) readOthers(ctx context.Context, s *settle.Settler) error {
	err := p.ReadUnseen(ctx, s, true)
	if errors.Is(err, store.ErrUnavailable) { // also if reading has used up the budget
		p.useLastSeenOfOthers()
		return nil
	}
	return err
}

// useLastSeenOfOthers takes what was seen last of buckets whose state is not known, or what is likely: that they are full.
func (p *Path) useLastSeenOfOthers() {
	for i := range p.N {
		if c := &p.Charges[i]; c.Result == charge.Pending && !c.FromLastSeen {
			c.RecallOrFull()
		}
	}
}
