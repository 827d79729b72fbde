package charge

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// lastSeen is what matters of the last record seen, from a refusal or a success. Each State has one, so it is
// small. It is guarded by the state's lock.
type lastSeen struct {
	set     *limitset.Set // of the record's L; nil: no record
	at      int64         // when, on the limiter's clock; 0: nothing seen, or not to be relied on for denials
	version int64
	path    int64
	expiry  backend.Expiry
	present uint16         // by position in the limit set: the arrival time is present
	shared  int8           // for how many more own writes the bucket counts as shared with other writers
	few     [2]backend.Num // the arrival times, by position
	more    []backend.Num  // those that few has no room for
	born    backend.Num
	busy    *busyness // nil until others were seen to write
}

// busyness is a moving average of "was active", 0 to 255, by position in the limit set.
type busyness [schema.MaxLimits]uint8

// sharedFor is for how many own writes a bucket counts as shared after another writer was noticed.
const sharedFor = 32

// read copies the states of the limits.
func (s *lastSeen) read(to *limitset.Arrivals) {
	for i := range s.set.Rates {
		switch a := &to[i]; {
		case s.present>>i&1 == 0:
			*a = bucket.Arrival{}
		case i < len(s.few):
			*a = bucket.Arrival{At: s.few[i], Seen: true}
		default:
			*a = bucket.Arrival{At: s.more[i-len(s.few)], Seen: true}
		}
	}
}

// update makes it a record with the given limits (nil: there is none), unless it is older than the one that is known. mine
// tells whether the record is what a write of this process left.
func (s *lastSeen) update(r *backend.Record, set *limitset.Set, now int64, mine bool) {
	if set == nil {
		s.set, s.at = nil, now
		return
	}
	version := r.Int64(schema.Ver)
	born, _ := r.Num(schema.Born)
	if s.set != nil {
		moved := version - s.version
		if moved < 0 && born == s.born {
			return
		}
		if mine {
			moved--
		}
		if moved > 0 {
			s.shared = sharedFor
		} else if s.shared > 0 {
			s.shared--
		}
	}
	if s.set != set { // a pointer is written only where it changes: the collector is told of each
		s.set = set
		s.more = make([]backend.Num, max(0, len(set.Rates)-len(s.few)))
	}
	s.version, s.born, s.at = version, born, now
	s.path, s.expiry, s.present = r.Int64(schema.Path), r.Expiry(), 0
	for i := range set.Rates {
		at, present := r.Num(schema.Tat(i))
		if !present {
			continue
		}
		s.present |= 1 << i
		if i < len(s.few) {
			s.few[i] = at
		} else {
			s.more[i-len(s.few)] = at
		}
	}
}

// average takes in the regimes that held when the charge was written or refused.
func (s *lastSeen) average(c *Charge, active uint16) {
	if s.busy == nil { // begins with what was seen first
		s.busy = new(busyness)
		for i := range s.busy {
			s.busy[i] = uint8(active >> i & 1 * 255)
		}
	}
	for i := range c.Assumed.Rates {
		if !c.mayBeActive(i) {
			continue
		}
		if b := &s.busy[i]; active>>i&1 == 1 {
			*b += uint8((255 - int(*b) + 7) / 8) // as int: the sum has nine bits
		} else {
			*b -= uint8((int(*b) + 7) / 8)
		}
	}
}

// mostlyActive is the average's guess, by position.
func (s *lastSeen) mostlyActive() (active uint16) {
	if s.busy == nil {
		return 0
	}
	for i := range s.busy {
		if s.busy[i] >= 128 {
			active |= 1 << i
		}
	}
	return active
}

// remember makes r the last seen record of the charge's bucket (see lastSeen.update), unless this process has reset the bucket
// or changed its configuration since the charge began: r may be older than that, and would repeat a denial that no longer
// holds.
func (c *Charge) remember(r *backend.Record, s *limitset.Set, mine bool) {
	b := c.State
	b.lock.Lock()
	if b.epoch.Load() == c.epoch {
		b.seen.update(r, s, c.Now, mine)
	}
	b.lock.Unlock()
}

// rememberOutcome makes the record of the last outcome the last seen record, and adds the regimes that held to the moving
// average.
func (c *Charge) rememberOutcome(active uint16, mine bool) {
	b := c.State
	b.lock.Lock()
	if memo := c.writes[0].Memo; b.memo != memo {
		b.memo = memo
	}
	if b.epoch.Load() == c.epoch {
		b.seen.update(&c.outs[0].Record, c.Assumed, c.Now, mine)
	}
	if c.mode == guessing && !c.noRegimes && b.seen.shared > 0 {
		b.seen.average(c, active)
	}
	b.lock.Unlock()
}

// fresh reports whether a record that was seen at the given time is young enough to deny by it. If that is 0, it is not.
func (k *Charger) fresh(seenAt, now int64) bool {
	age, ttl := now-seenAt, int64(k.DenialTTL)
	return seenAt != 0 && ttl > 0 && -ttl <= age && age <= ttl
}

// recalled is what a charge takes of the last seen record, besides the arrival times.
type recalled struct {
	set      *limitset.Set
	at, path int64
	gone     bool // it has expired
	shared   bool // others write it, too
	pocket   bool // this process may have tokens of it
	likely   uint16
}

// recall takes the last seen record.
func (c *Charge) recall() recalled {
	b, seen := c.State, &c.State.seen
	b.lock.Lock()
	r := recalled{set: seen.set, at: seen.at, path: seen.path, gone: store.Expired(seen.expiry, c.Now), shared: seen.shared > 0}
	if seen.set != nil {
		seen.read(&c.Arrivals)
	}
	r.pocket = b.desk != nil && b.desk.k.Prefetch
	if r.shared && !c.noRegimes {
		r.likely = seen.mostlyActive()
	}
	c.writes[0].Memo = b.memo
	b.lock.Unlock()
	return r
}

// LastRecord makes r the last seen record of the charge's bucket, with its arrival times in tats, and returns when it was seen. known is
// false if there is none with the limits that the charge assumes, or if it has expired.
func (c *Charge) LastRecord(r *reserve.Record, tats *limitset.Arrivals) (at int64, known bool) {
	b, seen := c.State, &c.State.seen
	b.lock.Lock()
	defer b.lock.Unlock()
	if seen.set != c.Assumed || store.Expired(seen.expiry, c.Now) {
		return 0, false
	}
	seen.read(tats)
	*r = reserve.Record{Ver: seen.version, Born: seen.born, Tats: tats[:len(seen.set.Rates)]}
	return seen.at, true
}
