package engine

import (
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// change is a change of one setting. Calls that change one setting and manifests make the same changes: [change.writes]
// is the only place that knows what a change writes.
type change struct {
	before, after  Setting         // after.Manifest manages the setting afterwards; "" if none does
	manifest       string          // the manifest that makes the change; "" for a call that changes one setting
	requiresParent bool            // an entity's parent must exist when all changes are made
	adoptions      *backend.Record // of an entity that is deleted: its mark of adoptions, read before its children were listed
}

// moves reports whether an entity gets a parent, or another one, or loses it.
func (c *change) moves() bool {
	return c.after.Exists && c.after.Record.Parent != c.before.Record.Parent
}

// version is the version of the record once the change is made.
func (c *change) version(now int64) int64 { return max(now, c.before.ver+1) }

// writes returns all writes of the change except that of its audit event, and the event. It computes them from what was
// read, and does no I/O. Two changes may have the same conditions or marks among their writes.
func (c *change) writes(namespace string, parents *parentGraph, now int64) ([]backend.Write, event, error) {
	id := c.after.ID
	after := c.after
	after.Record.ID, after.Record.CreatedAt = id.Entity, c.before.Record.CreatedAt
	if !c.before.Exists {
		after.Record.CreatedAt = instant(now)
	}
	record, err := c.recordWrite(namespace, &after, now)
	if err != nil {
		return nil, event{}, err
	}
	writes := append(c.parentWrites(namespace, parents, now), record)
	switch {
	case id.Kind == SettingEntity && !after.Exists:
		writes = append(writes, requireNoAdoption(namespace, id.Entity, c.adoptions))
	case id.Kind == SettingLimits && id.Resource != "":
		mark := schema.Limited(namespace, id.Entity, id.Resource)
		writes = append(writes, markWrite(mark, after.Exists, now))
	}
	if after.Exists && id.Entity != "" && !(id.Kind == SettingEntity && c.before.Exists) { // the deletion of an entity that exists begins with its record
		writes = append(writes, requireNoDeletion(namespace, id.Entity))
	}
	return append(writes, c.listWrites(namespace, record.Key)...), c.event(&after), nil
}

// recordWrite writes or deletes the setting's record, if that is as it was read.
func (c *change) recordWrite(namespace string, after *Setting, now int64) (w backend.Write, err error) {
	key, place := after.ID.record(namespace)
	version := after.ID.versionSlot()
	w = backend.Write{Key: key, Layout: schema.LayoutOf(key), Conds: []backend.Cond{versionIs(version, c.before.Exists, c.before.ver)}}
	if !after.Exists {
		w.Remove = c.before.Exists
		return w, nil
	}
	w.Index = place
	w.Effects = []backend.Effect{setNum(version, c.version(now))}
	if after.ID.Kind != SettingEntity {
		w.Effects = append(w.Effects, configEffects(after)...)
		return w, nil
	}
	effects, err := entityEffects(after)
	w.Effects = append(w.Effects, effects...)
	return w, err
}

// parentWrites changes the marks by which parents list their children, and demands that nobody above an entity that moves
// changes meanwhile: two changes that would close a cycle together cannot both be made then. Nor can the new parent be
// deleted meanwhile: either its deletion comes first, and the demand fails, or it finds the adoption.
func (c *change) parentWrites(namespace string, parents *parentGraph, now int64) (writes []backend.Write) {
	id, from, to := c.after.ID.Entity, c.before.Record.Parent, c.after.Record.Parent
	if c.after.ID.Kind != SettingEntity || c.after.Exists && from == to {
		return nil
	}
	if from != "" {
		writes = append(writes, markWrite(schema.Child(namespace, from, id), false, now))
	}
	if !c.after.Exists || to == "" {
		return writes
	}
	writes = append(writes, markWrite(schema.Child(namespace, to, id), true, now))
	if parents.exists(to) {
		writes = append(writes, countAdoption(namespace, to, now))
	}
	return append(writes, parents.versionChecks(namespace, id)...)
}

// listWrites changes the lists of the manifests that managed the record and that manage it afterwards.
func (c *change) listWrites(namespace string, record backend.Key) (writes []backend.Write) {
	if c.before.Manifest == c.after.Manifest {
		return nil
	}
	for _, manifest := range []string{c.after.Manifest, c.before.Manifest} {
		if manifest == "" {
			continue
		}
		key, text := schema.Managed(namespace, manifest, record)
		w := backend.Write{Key: key, Layout: schema.ManagedLayout, Remove: true}
		if manifest == c.after.Manifest {
			w.Remove, w.Effects = false, []backend.Effect{setText(schema.ManagedText, text)}
		}
		writes = append(writes, w)
	}
	return writes
}

// event is the change's audit event.
func (c *change) event(after *Setting) event {
	id := after.ID
	e := event{action: actionLimitsSet, entity: id.Entity, resource: id.Resource, before: c.document(&c.before), after: c.document(after)}
	switch {
	case id.Kind != SettingEntity && !after.Exists:
		e.action = actionLimitsDeleted
	case id.Kind != SettingEntity:
	case !after.Exists:
		e.action = actionEntityDeleted
	case c.before.Exists:
		e.action = actionEntityUpdated
	default:
		e.action = actionEntityCreated
	}
	return e
}

// document is a setting in the change's audit event; nil if there is none. Only events of manifests name the manifest.
func (c *change) document(s *Setting) any {
	manifest := s.Manifest
	if c.manifest == "" {
		manifest = ""
	}
	switch {
	case !s.Exists:
		return nil
	case s.ID.Kind == SettingEntity:
		return entityDocument{s.ID.Entity, s.Record.Name, s.Record.Parent, s.Record.Cascade, s.Record.Metadata, s.Record.CreatedAt, manifest}
	case len(s.Limits) == 0 && s.OnUnavailable == PolicyDefault:
		return nil
	}
	d := configDocument{Limits: make([]limitDocument, len(s.Limits)), Manifest: manifest}
	for i, limit := range byName(s.Limits) {
		d.Limits[i] = documentOf(limit)
	}
	if s.OnUnavailable != PolicyDefault {
		d.OnUnavailable = s.OnUnavailable.String()
	}
	return d
}

// configEffects store limits and a policy.
func configEffects(s *Setting) []backend.Effect {
	policy := backend.Effect{Slot: schema.ConfigUnavailable, Op: backend.Unset}
	if s.OnUnavailable != PolicyDefault {
		policy = setNum(schema.ConfigUnavailable, int64(s.OnUnavailable))
	}
	var packed string
	if len(s.Limits) > 0 {
		terms := make([]schema.Term, len(s.Limits))
		for i, limit := range s.Limits {
			terms[i].Limit = limit
		}
		packed = schema.Pack(terms)
	}
	return []backend.Effect{setText(schema.ConfigLimits, packed), policy, setText(schema.ConfigManifest, s.Manifest)}
}

// entityEffects store an entity.
func entityEffects(s *Setting) ([]backend.Effect, error) {
	metadata, err := encodeMetadata(s.Record.Metadata)
	var cascade int64
	if s.Record.Cascade {
		cascade = 1
	}
	return []backend.Effect{
		setNum(schema.EntityCreated, s.Record.CreatedAt.UnixNano()), setNum(schema.EntityCascade, cascade),
		setText(schema.EntityName, s.Record.Name), setText(schema.EntityParent, s.Record.Parent),
		setText(schema.EntityMetadata, metadata), setText(schema.EntityManifest, s.Manifest),
	}, err
}

// affects reports whether the limits or the parent of an entity for a resource may come from one of the changed settings.
func affects(changes []*change, entity, resource string) bool {
	return slices.ContainsFunc(changes, func(c *change) bool { return c.after.ID.affects(entity, resource) })
}

// configDocument is a setting's limits and policy in an audit event.
type configDocument struct {
	Limits        []limitDocument `json:"limits"`
	OnUnavailable string          `json:"on_unavailable,omitempty"`
	Manifest      string          `json:"manifest,omitempty"`
}

type limitDocument struct {
	Name                string  `json:"name"`
	Capacity            int64   `json:"capacity"`
	RefillAmount        int64   `json:"refill_amount"`
	RefillPeriodSeconds float64 `json:"refill_period_seconds"`
}

func documentOf(l Limit) limitDocument {
	return limitDocument{l.Name, l.Capacity, l.RefillAmount, l.RefillPeriod.Seconds()}
}

// entityDocument is an entity in an audit event.
type entityDocument struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Parent    string            `json:"parent"`
	Cascade   bool              `json:"cascade"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	Manifest  string            `json:"manifest,omitempty"`
}
