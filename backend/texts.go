package backend

import (
	"hash/maphash"
	"sync/atomic"
)

// texts are the strings of a record. They never change once they are made, so copies of a record share them.
type texts struct {
	first string   // in the first slot, the only one that most records use
	more  []string // in the others
}

// with is what t (nil: nothing) becomes with v as the i-th string of a record of layout l.
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

// Of the texts that many records say, such as the limits of a plan, a layout remembers a few, so that millions of
// records share them: memory, and work for the collector, which is not spent.
const (
	commonSlots = 16
	commonMost  = 1 << 10 // bytes of a text that is remembered
)

// commonTexts remembers texts of records with a single string, each in the place that its hash gives.
type commonTexts [commonSlots]atomic.Pointer[texts]

var commonSeed = maphash.MakeSeed()

// share is the texts whose first one is v, the same as before where they are remembered.
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
