package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// watched stands between the limiters and a memory store. It sees every write that takes effect, lets calls go wrong as
// the step that makes them says, and lets other steps come between. It is remote: not NoIO, and it never sweeps.
type watched struct {
	lock  sync.Mutex // of a call, where a limiter makes several at once
	inner *memory.Store
	world *execution
	seen  map[backend.Key]*backend.Record // buckets as they are
	late  []lateWrite
	terms map[string][]schema.Term // by L
}

func (s *watched) Capabilities() backend.Capabilities { return backend.Capabilities{} }

// local is watched by limiters that take it for a store without I/O which knows the greater of two numbers: they send
// writes that need no regime.
type local struct{ *watched }

func (local) Capabilities() backend.Capabilities { return backend.Capabilities{NoIO: true, Max: true} }

// lateWrite is one that is still under way.
type lateWrite struct {
	by    *run
	write backend.Write
}

// effect is what a write did to a bucket.
type effect struct {
	by        *run
	entity    int
	used      [len(names)]int64 // by limit: charged, or refunded
	acq       int64
	silent    bool // who made it does not know that it took effect
	late      bool // it arrived after its step was over
	life      int  // of the bucket, after it
	admission bool // it is what an acquire was admitted by
	began     bool // a life of the bucket: it was made, reset or removed
	ended     bool // a life of the bucket: it was reset or removed
	before    []schema.Term
	after     []schema.Term
}

func (s *watched) Read(ctx context.Context, keys []backend.Key, out []backend.Record) (err error) {
	return s.call(true, func(a act) error {
		if a != pass {
			return errUnreachable
		}
		return s.inner.Read(ctx, keys, out)
	})
}

func (s *watched) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	by := s.world.top()
	return s.call(false, func(a act) error {
		switch a {
		case pass:
			return s.carryOut(ctx, by, writes, out, false)
		case loseReply:
			if err := s.carryOut(ctx, by, writes, out, true); err != nil {
				return err
			}
			for i := range out {
				out[i].Record.Reset(writes[i].Layout)
				out[i].Applied = false
			}
		case arriveLate:
			for i := range writes {
				s.late = append(s.late, lateWrite{by, keep(&writes[i])})
			}
		}
		err := failures[a]
		for i := range out {
			out[i].Err = err
		}
		return err
	})
}

// Commit carries administrative acts. They are not what the model is about: none goes wrong.
func (s *watched) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	by := s.world.top()
	return s.call(false, func(act) error {
		err := s.inner.Commit(ctx, token, writes)
		for i := 0; i < len(writes) && err == nil; i++ {
			w := &writes[i]
			if w.Layout == schema.ConfigLayout || w.Layout == schema.EntityLayout {
				s.world.bound.order.note(s)
			}
			if w.Layout == schema.BucketLayout {
				var out [1]backend.Record
				out[0].Reset(schema.BucketLayout)
				err = s.inner.Read(ctx, []backend.Key{w.Key}, out[:])
				s.took(by, w, &out[0], false, false)
			}
		}
		return err
	})
}

func (s *watched) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	return s.inner.List(ctx, q)
}

func (s *watched) Close() error { return nil }

var errUnreachable = fmt.Errorf("%w: model", backend.ErrUnavailable)

var failures = [acts]error{
	fail: errUnreachable, race: fmt.Errorf("%w: model", backend.ErrContention),
	loseRequest: fmt.Errorf("%w: request", backend.ErrOutcomeUnknown),
	loseReply:   fmt.Errorf("%w: reply", backend.ErrOutcomeUnknown),
	arriveLate:  fmt.Errorf("%w: late", backend.ErrOutcomeUnknown),
}

// call makes a call, with what befalls it.
func (s *watched) call(reads bool, f func(act) error) error {
	if !s.world.nested {
		s.lock.Lock()
		defer s.lock.Unlock()
	}
	r := s.world.top()
	a := r.next()
	if r.calls++; r.end != nil {
		r.end()
	}
	r.reads = reads
	if a == before {
		s.world.inside(r)
		a = pass
	}
	if a != after {
		return f(a)
	}
	err := f(pass)
	s.world.inside(r)
	return err
}

// carryOut applies writes, and notes what they did.
func (s *watched) carryOut(ctx context.Context, by *run, writes []backend.Write, out []backend.Outcome, silent bool) error {
	err := s.inner.Apply(ctx, writes, out)
	for i := range writes {
		if err == nil && out[i].Applied && writes[i].Layout == schema.BucketLayout {
			s.took(by, &writes[i], &out[i].Record, silent, false)
		}
	}
	return err
}

// arrive carries out the n-th late write, or the last.
func (s *watched) arrive(ctx context.Context, n int) {
	if len(s.late) == 0 {
		return
	}
	n = min(n, len(s.late)-1)
	w := s.late[n]
	s.late = slices.Delete(s.late, n, n+1)
	var out [1]backend.Outcome
	if err := s.inner.Apply(ctx, []backend.Write{w.write}, out[:]); err != nil {
		s.world.fail("a late write: %v", err)
	} else if out[0].Applied {
		s.took(w.by, &w.write, &out[0].Record, true, !slices.Contains(s.world.stack, w.by))
	}
}

// keep copies a write, whose parts belong to the engine.
func keep(w *backend.Write) backend.Write {
	kept := *w
	kept.Conds, kept.Effects, kept.Memo = slices.Clone(w.Conds), slices.Clone(w.Effects), nil
	return kept
}

// took notes a write that took effect on a bucket, and checks what must hold of any.
func (s *watched) took(by *run, w *backend.Write, now *backend.Record, silent, late bool) {
	was := s.seen[w.Key]
	if was == nil {
		was = new(backend.Record)
		was.Reset(schema.BucketLayout)
		s.seen[w.Key] = was
	}
	e := &effect{by: by, entity: entityOf(w.Key), silent: silent, late: late, before: s.limits(was), after: s.limits(now)}
	oldBorn, had := was.Num(schema.Born)
	newBorn, has := now.Num(schema.Born)
	e.ended = had && (!has || oldBorn != newBorn)
	e.began = has && (!had || oldBorn != newBorn)
	for i, t := range e.after {
		n := nameIndex(t.Name)
		e.used[n] = now.Int64(schema.Used(i))
		if j := slices.IndexFunc(e.before, func(b schema.Term) bool { return b.Name == t.Name }); j >= 0 {
			e.used[n] -= was.Int64(schema.Used(j))
		}
	}
	e.acq = now.Int64(schema.Acq) - was.Int64(schema.Acq)
	if !now.Present() {
		e.acq = 0
	}
	s.world.bound.order.took(s.world, e, was, now)
	s.checkExpiry(now, e.after)
	s.checkNonce(w, was)
	s.seen[w.Key].CopyFrom(now)
	s.world.took(e)
}

// limits are what the record's L says.
func (s *watched) limits(r *backend.Record) []schema.Term {
	packed, ok := r.Text(schema.L)
	if !ok {
		return nil
	}
	terms, known := s.terms[packed]
	if !known {
		var err error
		if terms, err = schema.Unpack(packed); err != nil {
			s.world.fail("L: %v", err)
		}
		s.terms[packed] = terms
	}
	return terms
}

// checkExpiry demands that no record can be dropped before it is full and all leases on it are too late, and ten minutes more.
func (s *watched) checkExpiry(r *backend.Record, terms []schema.Term) {
	if !r.Present() || r.Expiry() == backend.NoExpiry {
		return
	}
	expires := int64(r.Expiry()) * int64(time.Second)
	for i := range terms {
		tat, seen := r.Num(schema.Tat(i))
		rate := terms[i].Rate()
		if full := rate.FullAt(tat); seen && expires-int64(time.Hour+10*time.Minute) < full {
			s.world.fail("%s is full at %d, and its record expires at %d", terms[i].Name, full, expires)
		}
	}
}

// checkNonce demands that nothing is charged twice without a write between.
func (s *watched) checkNonce(w *backend.Write, was *backend.Record) {
	last, ok := was.Num(schema.Nonce)
	for i := range w.Effects {
		if e := &w.Effects[i]; ok && e.Slot == schema.Nonce && e.Op == backend.Set && e.Num == last {
			s.world.fail("charged twice, with nothing between")
		}
	}
}

// sweep drops the bucket if it may be dropped now.
func (s *watched) sweep(ctx context.Context, now int64) {
	for k, r := range s.seen {
		if !r.Present() || r.Expiry() == backend.NoExpiry || int64(r.Expiry()) >= now/int64(time.Second) {
			continue
		}
		w := backend.Write{Key: k, Layout: schema.BucketLayout, Remove: true}
		var out [1]backend.Outcome
		if err := s.inner.Apply(ctx, []backend.Write{w}, out[:]); err != nil {
			s.world.fail("dropping a record: %v", err)
		}
		s.world.dropped(entityOf(k), r, s.limits(r), now)
		r.Reset(schema.BucketLayout)
	}
}

// available is what a record says is left of a limit, by the arithmetic that is tested by itself.
func available(r *backend.Record, i int, t *schema.Term, now int64) (int64, bool) {
	rate := t.Rate()
	var a bucket.Arrival
	a.At, a.Seen = r.Num(schema.Tat(i))
	return rate.Available(a, rate.Y(now)), rate.IsFull(a, rate.Y(now))
}

func entityOf(k backend.Key) int {
	entity, _, _ := schema.BucketOf(k)
	return int(entity[1] - '0')
}

func nameIndex(name string) int { return int(name[0] - 'a') }
