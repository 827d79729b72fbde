package follow

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Entity is what the record of an entity says. The zero Entity has no record.
type Entity struct {
	Exists  bool
	Version int64
	Parent  string // "" if it has none, or does not cascade
}

// reading tells when a record was read, and when it is to be read again whatever looks say.
type reading struct{ at, again int64 }

// An entity's records are read again after about rereadAfter, give or take rereadSpread.
const (
	rereadAfter  = 72 * time.Hour
	rereadSpread = 7 * time.Hour
)

// readNow is a reading that began now. Entities are read again at different times, even if all were read at the same time.
func readNow(now int64) reading {
	return reading{now, now + int64(rereadAfter-rereadSpread) + rand.Int64N(2*int64(rereadSpread))}
}

// entity has an entity's records: its own, its default limits, and its limits for resources, ordered by resource.
type entity struct {
	own       bool // this process has changed it: the first read for each resource also reads the shared records. Does not change
	lock      sync.Mutex
	read      reading // of record and defaults; the zero reading: they are not known
	record    Entity
	defaults  string // packed limits; "" for none
	resources []entityLimits
}

// entityLimits are an entity's limits for a resource.
type entityLimits struct {
	resource, packed string
	read             reading
}

// findLocked returns where the limits for a resource are, and whether they are known.
func (e *entity) findLocked(resource string) (at int, known bool) {
	return slices.BinarySearchFunc(e.resources, resource, func(l entityLimits, name string) int {
		return strings.Compare(l.resource, name)
	})
}

// putLocked keeps limits for a resource, and reports whether they were unknown.
func (e *entity) putLocked(l entityLimits) (grown bool) {
	at, known := e.findLocked(l.resource)
	if known {
		e.resources[at] = l
		return false
	}
	e.resources = slices.Insert(e.resources, at, l)
	return len(e.resources) > 1 // the first is in the weight of the entity
}

// shared is the record of a resource, or of the system.
type shared struct {
	lock   sync.Mutex
	read   reading // the zero reading: it is not known
	packed string  // limits; "" for none
	policy int64   // of the system
	hit    bool    // an event has changed it, and the look under way, or the next one, reads it again
	heir   *shared // the entry that has replaced this one because of an event; nil: none has
}

// inherit makes to what an event leaves of from: the same, to be read again.
func inherit(from, to *shared) {
	from.lock.Lock()
	defer from.lock.Unlock()
	to.read, to.packed, to.policy, to.hit = from.read, from.packed, from.policy, true
	from.heir = to
}

// put keeps what was read, and reports whether it is something else.
func (s *shared) put(v *shared) (changed bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	changed = s.packed != v.packed || s.policy != v.policy
	s.read, s.packed, s.policy, s.hit = v.read, v.packed, v.policy, false
	if s.heir != nil {
		s.heir.bequeath(v)
	}
	return changed
}

// bequeath gives what was read for an entry to its heir, which is to be read again all the same: callers go by it already, and
// what the heir has inherited is older.
func (s *shared) bequeath(v *shared) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.hit {
		s.read, s.packed, s.policy = v.read, v.packed, v.policy
	}
	if s.heir != nil {
		s.heir.bequeath(v)
	}
}

// due reports whether a look has to read it again; what is not known is read by who needs it.
func (s *shared) due(oldest time.Duration, now int64) (due, hit bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.read == (reading{}) {
		return false, false
	}
	return s.hit || time.Duration(now-s.read.at).Abs() >= oldest, s.hit
}

func entityOf(r *backend.Record) Entity {
	if !r.Present() {
		return Entity{}
	}
	e := Entity{Exists: true, Version: r.Int64(schema.EntityVer)}
	if r.Int64(schema.EntityCascade) == 1 {
		e.Parent, _ = r.Text(schema.EntityParent)
	}
	return e
}

// limitsOf returns the packed limits in a record; "" for none.
func (f *Follower) limitsOf(r *backend.Record) string {
	packed, _ := r.Text(schema.ConfigLimits)
	if packed == "" || f.o.Share == nil {
		return packed
	}
	return f.o.Share(packed)
}

// sharedOf decodes the record of a resource or of the system.
func (f *Follower) sharedOf(r *backend.Record, now int64) *shared {
	return &shared{read: reading{at: now, again: maxTime}, packed: f.limitsOf(r), policy: r.Int64(schema.ConfigUnavailable)}
}

// maxTime is never.
const maxTime = 1<<63 - 1
