package memory

import "github.com/zeroae/zae-limiter-go/backend"

// commit is the writes of one Commit.
type commit struct {
	store  *Store
	shards []int // numbers, ascending
	steps  []step
}

// step is one write of a commit.
type step struct {
	w    *backend.Write
	hash uint64
	sh   *shard
	r    *record        // its record, nil if there is none
	now  backend.Record // after the commit
}

// lock locks everything that the commit touches, in the order of the package's comment.
func (c *commit) lock() {
	for _, i := range c.shards {
		c.store.shards[i].lock.Lock()
	}
	c.store.order.lock.Lock()
	for i := range c.steps {
		st := &c.steps[i]
		if st.r = st.sh.findLocked(st.hash, &st.w.Key); st.r != nil {
			st.r.lock.Lock()
		}
	}
}

func (c *commit) unlock() {
	for i := range c.steps {
		if st := &c.steps[i]; st.r != nil {
			st.r.lock.Unlock()
		}
	}
	c.store.order.lock.Unlock()
	for _, i := range c.shards {
		c.store.shards[i].lock.Unlock()
	}
}

// checkLocked checks the conditions of all writes, and computes the records after the commit. It changes nothing.
func (c *commit) checkLocked() error {
	for i := range c.steps {
		st := &c.steps[i]
		st.now.Reset(st.w.Layout)
		if st.r != nil {
			has := st.r.body.Layout()
			if has != st.w.Layout && st.w.Remove && len(st.w.Conds) == 0 {
				continue // there are no conditions
			}
			if has != st.w.Layout {
				return errLayout(st.w.Key, has, st.w.Layout)
			}
			st.now.CopyFrom(&st.r.body)
		}
		if !backend.Check(&st.now, st.w) {
			return &backend.ConflictError{Index: i, Key: st.w.Key, Record: st.now}
		}
		if err := backend.Apply(&st.now, st.w); err != nil {
			return err
		}
	}
	return nil
}

// applyLocked stores what checkLocked has computed. It cannot fail.
func (c *commit) applyLocked() {
	s := c.store
	for i := range c.steps {
		st := &c.steps[i]
		switch {
		case st.w.Remove && st.r != nil:
			s.dropLocked(st.sh, st.r)
		case len(st.w.Effects) == 0:
		case st.r == nil:
			r := st.sh.insertLocked(s, st.hash, st.w, st.now.Span())
			s.installLocked(st.sh, r, &st.now)
		default:
			if s.queue != nil && !(st.now.Equal(&st.r.body) && (st.w.Index == nil || *st.w.Index == st.r.place())) {
				s.queue.push(st.w.Key, &st.r.body, &st.now)
			}
			st.r.body.CopyFrom(&st.now)
			st.sh.expects(st.w.Expiry)
			if st.w.Index != nil {
				s.moveLocked(st.sh, st.r, *st.w.Index)
			}
		}
	}
}
