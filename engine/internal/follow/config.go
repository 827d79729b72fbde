package follow

import "time"

// Level tells which record limits come from. The first level that has any supplies all of them.
type Level uint8

// The levels, first to last.
const (
	LevelNone           Level = iota // there are none
	LevelEntityResource              // those of the entity for the resource
	LevelEntity                      // those of the entity for all resources
	LevelResource                    // those of the resource
	LevelSystem                      // those of the system
)

// Config is the stored configuration of one entity for one resource. Configs are comparable.
type Config struct {
	Entity Entity
	Limits string // packed as in schema.Pack; "" for none
	Level  Level
	Policy int64 // of the system; 0 for none
}

// Age tells how far a Config can be trusted.
type Age uint8

// The ages.
const (
	Young   Age = iota // it can be used
	Aging              // it can be used, and somebody ought to call Fetch in the background
	Expired            // it is to be used only if Fetch cannot reach the store
	Unknown            // there is none
)

// Get returns what is in memory, and the sequence number to pass to Fresh. It does no I/O.
func (f *Follower) Get(name, resource string, now int64) (c Config, seq uint64, age Age) {
	seq = f.seq.Load() // before the tables are looked at, so that whoever changes them later makes it old
	p := parts{e: f.entities.get(name), resource: f.shared.get(resource), system: f.shared.get("")}
	if p.e == nil || p.resource == nil || p.system == nil {
		return Config{}, seq, Unknown
	}
	v := f.view(&p, resource, now)
	if age = v.oldest(); age == Unknown {
		return Config{}, seq, Unknown
	}
	return v.config(), seq, age
}

// parts are the entries that a Config is made from.
type parts struct {
	e                *entity
	resource, system *shared
}

// view is a copy of what parts say of one resource, with the age of each level. The level LevelEntity has the entity's record
// too.
type view struct {
	record Entity
	packed [LevelSystem + 1]string
	policy int64
	ages   [LevelSystem + 1]Age
}

func (f *Follower) view(p *parts, resource string, now int64) *view {
	var v view
	p.e.lock.Lock()
	v.record, v.packed[LevelEntity], v.ages[LevelEntity] = p.e.record, p.e.defaults, f.age(p.e.read, now)
	v.ages[LevelEntityResource] = Unknown
	if at, known := p.e.findLocked(resource); known {
		l := &p.e.resources[at]
		v.packed[LevelEntityResource], v.ages[LevelEntityResource] = l.packed, f.age(l.read, now)
	}
	p.e.lock.Unlock()
	v.packed[LevelResource], _, v.ages[LevelResource] = f.copy(p.resource, now)
	v.packed[LevelSystem], v.policy, v.ages[LevelSystem] = f.copy(p.system, now)
	return &v
}

func (f *Follower) copy(s *shared, now int64) (packed string, policy int64, age Age) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.packed, s.policy, f.age(s.read, now)
}

// age compares what was read with the last look, which vouches for it.
func (f *Follower) age(r reading, now int64) Age {
	if r == (reading{}) {
		return Unknown
	}
	old := min(time.Duration(now-r.at).Abs(), f.old(f.vouched.Load(), now))
	switch {
	case old >= f.o.TTL:
		return Expired
	case old >= f.o.TTL-f.o.TTL/5 || now >= r.again:
		return Aging
	}
	return Young
}

func (v *view) oldest() (age Age) {
	for level := LevelEntityResource; level <= LevelSystem; level++ {
		age = max(age, v.ages[level])
	}
	return age
}

// config picks the level that counts.
func (v *view) config() Config {
	c := Config{Entity: v.record, Policy: v.policy}
	for level := LevelEntityResource; level <= LevelSystem; level++ {
		if v.packed[level] != "" {
			c.Limits, c.Level = v.packed[level], level
			break
		}
	}
	return c
}
