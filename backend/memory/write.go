package memory

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Apply implements [backend.Backend].
func (s *Store) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := s.check(ctx)
	if err == nil && len(writes) != len(out) {
		err = errLengths(len(writes), len(out))
	}
	if err == nil && len(writes) == 1 { // it need not wait until others are found to be valid
		if r := s.recall(&writes[0]); r != nil && r.change(&writes[0], &out[0]) {
			return out[0].Err
		}
	}
	for i := 0; err == nil && i < len(writes); i++ {
		err = validate(&writes[i], s.recall(&writes[i]))
	}
	if err != nil {
		for i := range out {
			out[i].Applied, out[i].Err = false, err
		}
		return err
	}
	for i := range writes {
		s.apply(&writes[i], s.recall(&writes[i]), &out[i])
		if err == nil {
			err = out[i].Err
		}
	}
	return err
}

// recall returns the record of the write's memo, or nil if it is of another store or key. The record may be dead.
func (s *Store) recall(w *backend.Write) *record {
	if r, ok := w.Memo.(*record); ok && r != nil && r.group.store == s && r.is(&w.Key) {
		return r
	}
	return nil
}

// validate does not validate a key of which there is a record.
func validate(w *backend.Write, r *record) error {
	if r != nil {
		return w.ValidateBody()
	}
	return w.Validate()
}

// apply checks and applies one valid write. r is its record, or nil if that is not known.
func (s *Store) apply(w *backend.Write, r *record, o *backend.Outcome) {
	if r != nil && r.change(w, o) {
		return
	}
	hash := s.hash(&w.Key)
	sh := s.shard(hash)
	sh.lock.RLock()
	r = sh.findLocked(hash, &w.Key)
	sh.lock.RUnlock()
	if r != nil && r.change(w, o) {
		w.Memo = r
		return
	}
	sh.lock.Lock()
	defer sh.lock.Unlock()
	if s.closed.Load() {
		o.Applied, o.Err = false, backend.ErrClosed // else the write would create a record in an emptied table
		return
	}
	if sh.listed {
		s.order.lock.Lock()
		defer s.order.lock.Unlock()
	}
	if r = sh.findLocked(hash, &w.Key); r == nil {
		s.createLocked(sh, hash, w, o)
	} else {
		s.removeOrMoveLocked(sh, r, w, o)
	}
}

// change checks and applies w to r, holding nothing but r's own lock. It returns false if that is not enough: r is dead, or
// w may remove or move it.
func (r *record) change(w *backend.Write, o *backend.Outcome) bool {
	r.lock.Lock()
	stays := r.body.Layout() == w.Layout && r.body.Present() && !w.Remove && (w.Index == nil || *w.Index == r.place())
	if stays && r.group.store.queue != nil {
		r.group.store.noteLocked(r, w, o)
	} else if stays {
		r.checkAndApplyLocked(w, o)
	}
	r.lock.Unlock()
	return stays
}

// checkAndApplyLocked checks and applies w to the values of r, and fills o.
func (r *record) checkAndApplyLocked(w *backend.Write, o *backend.Outcome) {
	o.Applied, o.Err = false, nil
	if r.body.Layout() != w.Layout {
		if w.Remove && len(w.Conds) == 0 {
			o.Applied = true // there are no conditions
			return
		}
		o.Err = errLayout(w.Key, r.body.Layout(), w.Layout)
		return
	}
	if o.Applied, o.Err = backend.CheckAndApply(&r.body, w); o.Err != nil {
		return
	}
	if o.Applied && w.Expiry != backend.KeepExpiry {
		r.group.shard.expects(w.Expiry)
	}
	o.Record.CopyFrom(&r.body)
}

// createLocked checks w on a missing record, under the shard's lock, and creates the record.
func (s *Store) createLocked(sh *shard, hash uint64, w *backend.Write, o *backend.Outcome) {
	o.Record.Reset(w.Layout)
	o.Applied, o.Err = backend.Check(&o.Record, w), nil
	if !o.Applied || len(w.Effects) == 0 {
		return
	}
	if o.Err = backend.Apply(&o.Record, w); o.Err != nil {
		o.Applied = false
		return
	}
	r := sh.insertLocked(s, hash, w, o.Record.Span())
	s.installLocked(sh, r, &o.Record)
	w.Memo = r
}

// installLocked sets the values of a record that was just created.
func (s *Store) installLocked(sh *shard, r *record, now *backend.Record) {
	if s.queue != nil {
		var before backend.Record
		before.Reset(now.Layout())
		s.queue.push(r.key(), &before, now)
	}
	r.body.CopyFrom(now)
	sh.expects(r.body.Expiry())
	if sh.listed {
		s.order.addLocked(r)
	}
}

// removeOrMoveLocked checks and applies a write that may remove or move r, under the locks of shard and order.
func (s *Store) removeOrMoveLocked(sh *shard, r *record, w *backend.Write, o *backend.Outcome) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if w.Remove {
		r.checkAndApplyLocked(w, o)
		if o.Applied {
			s.dropLocked(sh, r)
			o.Record.Reset(w.Layout)
		}
		return
	}
	if w.Memo = r; s.queue == nil {
		r.checkAndApplyLocked(w, o)
	} else {
		s.noteLocked(r, w, o)
	}
	if o.Applied && w.Index != nil {
		s.moveLocked(sh, r, *w.Index)
	}
}

// dropLocked removes r. The caller holds the locks of shard, order and record.
func (s *Store) dropLocked(sh *shard, r *record) {
	if s.queue != nil {
		var after backend.Record
		after.Reset(r.body.Layout())
		s.queue.push(r.key(), &r.body, &after)
	}
	if sh.listed {
		s.order.removeLocked(r)
	}
	sh.unlinkLocked(s, r)
	r.body.Reset(r.body.Layout())
}

// moveLocked changes the place of r. The caller holds the locks of shard, order and record.
func (s *Store) moveLocked(sh *shard, r *record, to backend.Place) {
	if r.place() == to {
		return
	}
	if sh.listed {
		s.order.index.remove(r)
	}
	if r.setPlace(to); sh.listed {
		s.order.index.add(r)
	}
}

// Commit implements [backend.Backend]. It ignores the token, because its outcome is always known.
func (s *Store) Commit(ctx context.Context, _ [16]byte, writes []backend.Write) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	if err := backend.ValidateCommit(writes); err != nil {
		return err
	}
	c := commit{store: s, steps: make([]step, len(writes))}
	for i := range writes {
		hash := s.hash(&writes[i].Key)
		c.steps[i] = step{w: &writes[i], hash: hash, sh: s.shard(hash)}
		c.shards = append(c.shards, int(hash>>(64-shardBits)))
	}
	slices.Sort(c.shards)
	c.shards = slices.Compact(c.shards)
	c.lock()
	defer c.unlock()
	if s.closed.Load() {
		return backend.ErrClosed
	}
	if err := c.checkLocked(); err != nil {
		return err
	}
	c.applyLocked()
	return nil
}
