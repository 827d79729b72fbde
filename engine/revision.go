package engine

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// revision is the writes of one change, but for its event; those of conditions only may be others' too.
type revision struct {
	change *SettingChange
	writes []backend.Write
	event  event
	ver    int64 // of the record then
}

// mostWrites is how many writes the changes of a lane take at the most, their events among them.
func (a *application) mostWrites(some lane) (n int) {
	guarded := false
	for _, c := range some {
		n += 2 // record and event
		if was := c.Before.Manifest; was != a.manifest && was != "" {
			n += 2 // entries in both lists
		} else if was == "" || !c.After.Exists {
			n++
		}
		if c.After.ID.Kind == SettingLimits && c.After.ID.Resource != "" {
			n++ // its mark
		}
		if c.After.ID.Kind == SettingEntity {
			n += 2 // marks of its parents, or of what it was given
			if c.moves() {
				depth, _ := a.family.place(c.After.ID.Entity)
				n += 1 + depth
			}
		}
		if c.After.ID.Entity != "" && c.After.Exists && (!guarded || c.After.ID.Kind == SettingEntity) {
			n++ // limits of one entity stand in one lane, and need one guard
			guarded = true
		}
	}
	return n
}

// moves reports whether an entity gets a parent, or another one, or loses it.
func (c *SettingChange) moves() bool {
	return c.After.Exists && c.After.Record.Parent != c.Before.Record.Parent
}

// revise makes the writes of a change.
func (a *application) revise(c *SettingChange, now int64) (r revision, err error) {
	r = revision{change: c, ver: max(now, c.Before.ver+1)}
	id := c.After.ID
	if id.Kind == SettingEntity {
		err = a.reviseEntity(&r, now)
	} else {
		a.reviseLimits(&r, now)
	}
	record := a.l.settingKey(id)
	if c.After.Exists && id.Entity != "" {
		r.writes = append(r.writes, unmarked(a.l.opts.Namespace, id.Entity))
	}
	entry := func(manifest string) backend.Write {
		key, text := schema.Managed(a.l.opts.Namespace, manifest, record)
		w := backend.Write{Key: key, Layout: schema.ManagedLayout, Remove: true}
		if manifest == a.manifest && c.After.Exists {
			w.Remove, w.Effects = false, []backend.Effect{setText(schema.ManagedText, text)}
		}
		return w
	}
	if was := c.Before.Manifest; was != a.manifest || !c.After.Exists {
		r.writes = append(r.writes, entry(a.manifest))
		if was != "" && was != a.manifest {
			r.writes = append(r.writes, entry(was))
		}
	}
	return r, err
}

// reviseLimits writes limits of any level.
func (a *application) reviseLimits(r *revision, now int64) {
	c := r.change
	s := a.l.site(c.After.ID)
	before := SystemConfig{c.Before.Limits, c.Before.OnUnavailable}
	w := backend.Write{Key: s.key, Layout: schema.ConfigLayout, Conds: []backend.Cond{asRead(schema.ConfigVer, c.Before.Exists, c.Before.ver)}}
	r.event = event{action: actionLimitsDeleted, entity: s.entity, resource: s.resource, before: before.managed(c.Before.Manifest)}
	key, marked := a.l.limitedKey(s)
	if !c.After.Exists {
		w.Remove = true
		r.writes = append(r.writes, w)
		if marked {
			r.writes = append(r.writes, removeMark(key))
		}
		return
	}
	packed := backend.Effect{Slot: schema.ConfigLimits, Op: backend.Unset}
	after := SystemConfig{OnUnavailable: c.After.OnUnavailable}
	if len(c.After.Limits) > 0 {
		p := planOf(c.After.Limits, false)
		packed, after.Limits = backend.Effect{Slot: schema.ConfigLimits, Op: backend.Set, Text: p.text}, p.limits()
	}
	policy := backend.Effect{Slot: schema.ConfigUnavailable, Op: backend.Unset}
	if after.OnUnavailable != PolicyDefault {
		policy = setNum(schema.ConfigUnavailable, int64(after.OnUnavailable))
	}
	w.Index = s.place
	w.Effects = []backend.Effect{setNum(schema.ConfigVer, r.ver), packed, policy, setText(schema.ConfigManifest, a.manifest)}
	r.event.action, r.event.after = actionLimitsSet, after.managed(a.manifest)
	r.writes = append(r.writes, w)
	if marked {
		r.writes = append(r.writes, setMark(key, now))
	}
}

// reviseEntity writes an entity's record, and its parents' marks of it.
func (a *application) reviseEntity(r *revision, now int64) error {
	c, ns := r.change, a.l.opts.Namespace
	id, before := c.After.ID.Entity, c.Before.Record
	key, place := schema.Entity(ns, id)
	r.event = event{action: actionEntityDeleted, entity: id}
	if c.Before.Exists {
		r.event.before = managedEntity{before.document(), c.Before.Manifest}
	}
	if from := before.Parent; from != "" && (!c.After.Exists || from != c.After.Record.Parent) {
		r.writes = append(r.writes, backend.Write{Key: schema.Child(ns, from, id), Layout: schema.MarkLayout, Remove: true})
	}
	unchanged := asRead(schema.EntityVer, c.Before.Exists, c.Before.ver)
	if !c.After.Exists {
		r.writes = append(r.writes, backend.Write{Key: key, Layout: schema.EntityLayout, Conds: []backend.Cond{unchanged}, Remove: true},
			unadopted(ns, id, &a.family.members[id].adopted))
		return nil
	}
	e := c.After.Record
	e.ID, e.CreatedAt = id, instant(now)
	r.event.action = actionEntityCreated
	if c.Before.Exists {
		e.CreatedAt, r.event.action = before.CreatedAt, actionEntityUpdated
	}
	r.event.after = managedEntity{e.document(), a.manifest}
	if e.Parent != "" && c.moves() {
		r.writes = append(r.writes, setMark(schema.Child(ns, e.Parent, id), now))
		if a.family.exists(e.Parent) {
			r.writes = append(r.writes, adopted(ns, e.Parent, now))
		}
		r.writes = append(r.writes, a.family.stays(ns, id)...)
	}
	w, err := entityWrite(key, &backend.Record{}, &e, now)
	w.Index, w.Conds = &place, []backend.Cond{unchanged}
	w.Effects[0] = setNum(schema.EntityVer, r.ver)
	w.Effects = append(w.Effects, setText(schema.EntityManifest, a.manifest))
	r.writes = append(r.writes, w)
	return err
}

// managedConfig and managedEntity are documents in audit events, with the manifest that manages what they tell.
type managedConfig struct {
	configDocument
	Manifest string `json:"manifest,omitempty"`
}

type managedEntity struct {
	entityDocument
	Manifest string `json:"manifest,omitempty"`
}

func (c *SystemConfig) managed(manifest string) any {
	d, ok := c.document().(configDocument)
	if !ok {
		return nil
	}
	return managedConfig{d, manifest}
}
