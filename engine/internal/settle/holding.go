package settle

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
)

// Holding is what a lease holds: a part for each bucket of its path. A part that was added by a further charge may be of any of them.
type Holding struct {
	First Part  // there always is one
	path  *path // nil: no other part, and the first one is the bucket's that the request named
}

// path is what leases of several buckets have.
type path struct {
	root *charge.State // of the bucket that the request named
	more []*Part       // of parents
}

// Hold makes h what the charges of a path leave, of which root is the bucket that the request named.
func (h *Holding) Hold(k *charge.Charger, root *charge.State, charges []charge.Charge) {
	if len(charges) > 1 || charges[0].State != root {
		h.path = &path{root: root}
	}
	for i := range charges {
		c, p := &charges[i], &h.First
		if i > 0 {
			p = new(Part)
			h.path.more = append(h.path.more, p)
		}
		if c.Result == charge.Applied {
			p.Hold(c)
		} else { // a request of zeros only: nothing was charged
			p.holdNothing(k, c)
		}
	}
}

// Merge adds what a further charge holds, to a holding since the given time. What was charged to an earlier life of the bucket is gone.
func (h *Holding) Merge(c *charge.Charge, since int64) {
	if p := h.Of(c.State); p != nil {
		p.merge(c)
		return
	}
	p := new(Part)
	p.Hold(c)
	p.since(since, c.Now)
	if h.path == nil {
		h.path = &path{root: h.First.state}
	}
	h.path.more = append(h.path.more, p)
}

// Parts are all parts, the entity's first if it has any limits.
func (h *Holding) Parts() []*Part { return append([]*Part{&h.First}, h.others()...) }

func (h *Holding) others() []*Part {
	if h.path == nil {
		return nil
	}
	return h.path.more
}

// Of is what is held of a bucket, nil if that is nothing.
func (h *Holding) Of(b *charge.State) *Part {
	for _, p := range h.Parts() {
		if p.state.ID == b.ID {
			return p
		}
	}
	return nil
}

// Root is the state of the bucket that the request named.
func (h *Holding) Root() *charge.State {
	if h.path == nil {
		return h.First.state
	}
	return h.path.root
}

// Adjust makes tokens pending in each part that has their limit: to be charged, or refunded if they are negative.
func (h *Holding) Adjust(tokens map[string]int64) {
	for _, p := range h.Parts() {
		for name, n := range tokens {
			p.adjust(name, n)
		}
	}
}

// Unknown is the error of an amount of a limit that no bucket has.
func (h *Holding) Unknown(name string) error {
	var known []string
	for _, p := range h.Parts() {
		for i := range p.Size() {
			known = append(known, p.Name(i))
		}
	}
	return charge.UnknownLimits(h.First.state.ID, []string{name}, known)
}

// Pending reports whether anything is to be written.
func (h *Holding) Pending() bool {
	return h.First.pending() || slices.ContainsFunc(h.others(), (*Part).pending)
}
