package backend

import (
	"hash/maphash"
	"sync/atomic"
)

// texts are the texts and bytes of a record. They never change, so that copies of a record share them.
type texts struct {
	first string   // in the first slot, which is the only one that most records use
	more  []string // in the others
}

// with returns t, or an empty one if t is nil, with v as the i-th text of a record of layout l.
func (t *texts) with(i int, v string, l *Layout) *texts {
	var n texts
	if t != nil {
		n = *t
	}
	if i == 0 {
		n.first = v
	} else {
		n.more = make([]string, max(i, len(n.more)))
		if t != nil {
			copy(n.more, t.more)
		}
		n.more[i-1] = v
	}
	if len(n.more) == 0 && l != nil {
		return l.common.share(n.first)
	}
	made := n // so that n itself need not be on the heap
	return &made
}

// A layout remembers a few texts that many records hold, such as the limits of a plan, so that millions of records share
// them. That saves memory, and work for the garbage collector.
const (
	commonSlots = 16
	commonMost  = 1 << 10 // bytes of a text that is remembered
)

// commonTexts remembers texts of records with a single text, each in the place that its hash gives.
type commonTexts [commonSlots]atomic.Pointer[texts]

var commonSeed = maphash.MakeSeed()

// share returns texts whose first one is v: the same as before if they are remembered.
func (c *commonTexts) share(v string) *texts {
	if len(v) > commonMost {
		return &texts{first: v}
	}
	at := &c[maphash.String(commonSeed, v)%commonSlots]
	if t := at.Load(); t != nil && t.first == v {
		return t
	}
	t := &texts{first: v}
	at.Store(t)
	return t
}
