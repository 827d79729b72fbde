package load

import (
	"cmp"
	"slices"
	"sync"
)

// Event is what the check of the limits needs to know of an admission or a refund in one process.
type Event struct {
	Kind  EventKind `json:"k,omitempty"`
	Path  int       `json:"p,omitempty"` // index in Options.Paths
	Start int64     `json:"s,omitempty"` // of the call that was admitted, ns since the Unix epoch
	At    int64     `json:"t"`           // when that call ended; when the refund started or ended
}

// EventKind says what an event is. Of events at the same time, the first kind comes first, which is in favor of the limits.
type EventKind uint8

// The kinds of events.
const (
	RefundStarted EventKind = iota
	Admission
	RefundEnded
)

// Journal collects the events of a run. It is safe for concurrent use.
type Journal struct {
	lock   sync.Mutex
	events []Event
}

// Take returns the events since the last call, in no particular order.
func (j *Journal) Take() []Event {
	j.lock.Lock()
	defer j.lock.Unlock()
	events := j.events
	j.events = nil
	return events
}

// add adds an event, if j is not nil.
func (j *Journal) add(e Event) {
	if j == nil {
		return
	}
	j.lock.Lock()
	defer j.lock.Unlock()
	j.events = append(j.events, e)
}

// replay enters the events of all processes into the ledgers. All clocks must be that of one machine.
func (r *run) replay(events []Event) {
	slices.SortFunc(events, func(a, b Event) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Kind, b.Kind)) })
	unknown := func() int64 { return 0 } // a later event may have started at any time
	for _, e := range events {
		for _, b := range r.paths[e.Path] {
			for i := range b.accounts {
				a := &b.accounts[i]
				n := r.o.Consume[a.limit.Name]
				switch e.Kind {
				case RefundStarted:
					a.beginRefund(n)
				case Admission:
					a.admit(e.Start, e.At, n, unknown)
				case RefundEnded:
					a.endRefund(n)
				}
			}
		}
	}
}
