package engine

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// lastSeen is what matters of the last record seen, from a refusal or a success. Each bucketState has one, so it is
// small.
type lastSeen struct {
	set     *limitSet // of the record's L; nil: no record
	seen    int64     // when, on the limiter's clock; 0: nothing seen, or not to be relied on for denials
	ver     int64
	path    int64
	expiry  backend.Expiry
	present uint16         // by position: the arrival time is present
	shared  int8           // for how many more own writes the bucket counts as shared with other writers
	few     [2]backend.Num // the arrival times, by position in limit set
	born    backend.Num
	rare    *rareSeen // nil: nothing of it
}

// rareSeen is what few last seen records have.
type rareSeen struct {
	more []backend.Num // the arrival times that few has no room for
	busy *busyness     // nil until others were seen to write
}

// busyness is a moving average of "was active", 0 to 255, by position in the limit set.
type busyness [schema.MaxLimits]uint8

func (v *lastSeen) rarely() *rareSeen {
	if v.rare == nil {
		v.rare = new(rareSeen)
	}
	return v.rare
}

// sharedFor is for how many own writes a bucket counts as shared after another writer was noticed.
const sharedFor = 32

// arrival is the state of the i-th limit.
func (v *lastSeen) arrival(i int) (a bucket.Arrival) {
	if a.Seen = v.present>>i&1 == 1; !a.Seen {
		return a
	}
	if i < len(v.few) {
		a.At = v.few[i]
	} else {
		a.At = v.rare.more[i-len(v.few)]
	}
	return a
}

// take takes a record with the limits of p in (nil: there is none), unless it is older than the one that is known.
// mine tells whether the record is what a write of this process left.
func (v *lastSeen) take(r *backend.Record, p *limitSet, now int64, mine bool) {
	if p == nil {
		v.set, v.seen = nil, now
		return
	}
	ver := r.Int64(schema.Ver)
	born, _ := r.Num(schema.Born)
	if v.set != nil {
		moved := ver - v.ver
		if moved < 0 && born == v.born {
			return
		}
		if mine {
			moved--
		}
		if moved > 0 {
			v.shared = sharedFor
		} else if v.shared > 0 {
			v.shared--
		}
	}
	v.set, v.ver, v.born, v.seen = p, ver, born, now
	v.path, v.expiry = r.Int64(schema.Path), r.Expiry()
	v.takeArrivals(r, len(p.terms))
}

func (v *lastSeen) takeArrivals(r *backend.Record, n int) {
	v.present = 0
	if more := n - len(v.few); more > 0 && more > len(v.rarely().more) {
		v.rare.more = make([]backend.Num, more)
	}
	for i := range n {
		at, present := r.Num(schema.Tat(i))
		if !present {
			continue
		}
		v.present |= 1 << i
		if i < len(v.few) {
			v.few[i] = at
		} else {
			v.rare.more[i-len(v.few)] = at
		}
	}
}

// average takes in the regimes that held when the charge was written or refused.
func (v *lastSeen) average(c *bucketCharge, active uint16) {
	busy := v.rarely().busy
	if busy == nil { // begins with what was seen first
		busy = new(busyness)
		for i := range busy {
			busy[i] = uint8(active >> i & 1 * 255)
		}
		v.rare.busy = busy
	}
	for i := range c.assumed.rates {
		if !c.mayBeActive(i) {
			continue
		}
		if b := &busy[i]; active>>i&1 == 1 {
			*b += uint8((255 - int(*b) + 7) / 8) // as int: the sum has nine bits
		} else {
			*b -= uint8((int(*b) + 7) / 8)
		}
	}
}

// mostlyActive is the average's guess.
func (v *lastSeen) mostlyActive(i int) bool {
	return v.rare != nil && v.rare.busy != nil && v.rare.busy[i] >= 128
}

// gone reports whether the record may have been dropped since it was seen.
func (v *lastSeen) gone(now int64) bool { return store.Expired(v.expiry, now) }

// arrival is the state of the i-th limit of a bucket's record.
func arrival(r *backend.Record, i int) (a bucket.Arrival) {
	a.At, a.Seen = r.Num(schema.Tat(i))
	return a
}
