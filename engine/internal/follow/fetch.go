package follow

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Fetch reads what is not young in memory, and returns the configuration with the sequence number to pass to Fresh. all
// reports whether it has read all of it. The error is that of Options.Store or of Options.Check. Callers who ask for the same
// at the same time read it several times.
func (f *Follower) Fetch(ctx context.Context, name, resource string, now int64) (c Config, seq uint64, all bool, err error) {
	check := f.old(f.vouched.Load(), now) >= f.o.TTL // else looks check the namespace
	return f.fetch(ctx, name, resource, now, check, func(a Age) bool { return a != Young })
}

// Reload reads all that concerns an entity and a resource, and with check the namespace: it returns the configuration as it is after
// the call began.
func (f *Follower) Reload(ctx context.Context, name, resource string, now int64, check bool) (c Config, seq uint64, err error) {
	c, seq, _, err = f.fetch(ctx, name, resource, now, check, func(Age) bool { return true })
	return c, seq, err
}

// levelKeys is how many records there are for all levels.
const levelKeys = 5

func (f *Follower) fetch(
	ctx context.Context, name, resource string, now int64, check bool, wanted func(Age) bool,
) (c Config, seq uint64, all bool, err error) {
	// Before anything is read: an event that is seen from now on makes the number old, and removes the entries, so that
	// nobody finds what is put into them.
	seq = f.seq.Load()
	p := parts{f.entities.add(name), f.shared.add(resource), f.shared.add("")}
	v := f.view(&p, resource, now)
	var keys []backend.Key
	var levels []Level // of keys
	whole := p.e.own && v.ages[LevelEntityResource] == Unknown
	for level := LevelEntityResource; level <= LevelSystem; level++ {
		if whole || wanted(v.ages[level]) {
			for _, k := range f.keys(level, name, resource) {
				keys, levels = append(keys, k), append(levels, level)
			}
		}
	}
	if len(keys) == 0 {
		return v.config(), seq, false, nil
	}
	if check && f.o.CheckKeys != nil {
		keys = append(keys, f.o.CheckKeys()...)
	}
	out, err := f.o.Store.Read(ctx, keys)
	if err != nil {
		return Config{}, 0, false, err
	}
	if len(keys) > len(levels) {
		if err := f.o.Check(ctx, out[len(levels):]); err != nil {
			return Config{}, 0, false, err
		}
	}
	for i := range levels {
		f.take(v, levels[i], &out[i])
	}
	f.keep(v, &p, levels, name, resource, now)
	return v.config(), seq, len(levels) == levelKeys, nil
}

// keys returns the keys of the records of a level.
func (f *Follower) keys(level Level, name, resource string) []backend.Key {
	var k backend.Key
	switch level {
	case LevelEntityResource:
		k, _ = schema.EntityLimits(f.o.Namespace, name, resource)
	case LevelEntity:
		record, _ := schema.Entity(f.o.Namespace, name)
		defaults, _ := schema.EntityLimits(f.o.Namespace, name, "")
		return []backend.Key{record, defaults}
	default:
		if level == LevelSystem {
			resource = ""
		}
		k = f.sharedKey(resource)
	}
	return []backend.Key{k}
}

// sharedKey is the key of a resource's record; "" for the system.
func (f *Follower) sharedKey(name string) backend.Key {
	if name == "" {
		return schema.System(f.o.Namespace)
	}
	k, _ := schema.Resource(f.o.Namespace, name)
	return k
}

// take puts a record of a level into v.
func (f *Follower) take(v *view, level Level, r *backend.Record) {
	if r.Layout() == schema.EntityLayout {
		v.record = entityOf(r)
		return
	}
	v.packed[level] = f.limitsOf(r)
	if level == LevelSystem {
		v.policy = r.Int64(schema.ConfigUnavailable)
	}
}

// keep puts the levels of v that were read into their entries.
func (f *Follower) keep(v *view, p *parts, levels []Level, name, resource string, now int64) {
	grown := false
	for _, level := range levels {
		switch level {
		case LevelEntityResource, LevelEntity:
			p.e.lock.Lock()
			if level == LevelEntity {
				p.e.record, p.e.defaults, p.e.read = v.record, v.packed[level], readNow(now)
			} else {
				grown = p.e.putLocked(entityLimits{resource, v.packed[level], readNow(now)})
			}
			p.e.lock.Unlock()
		case LevelResource:
			p.resource.put(&shared{read: reading{now, maxTime}, packed: v.packed[level]})
		case LevelSystem:
			p.system.put(&shared{read: reading{now, maxTime}, packed: v.packed[level], policy: v.policy})
		}
	}
	if grown {
		f.entities.grow(name, p.e)
	}
}
