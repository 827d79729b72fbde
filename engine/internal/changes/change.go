package changes

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Change is a change of one setting. Calls that change one setting and manifests make the same changes: [Change.writes]
// is the only place that knows what a change writes.
type Change struct {
	Before, After  Setting         // After.Manifest manages the setting afterwards; "" if none does
	Manifest       string          // the manifest that makes the change; "" for a call that changes one setting
	RequiresParent bool            // an entity's parent must exist when all changes are made
	adoptions      *backend.Record // of an entity that is deleted: its mark of adoptions, read before its children were listed
}

// Moves reports whether an entity gets a parent, or another one, or loses it.
func (c *Change) Moves() bool {
	return c.After.Exists && c.After.Record.Parent != c.Before.Record.Parent
}

// version is the version of the record once the change is made.
func (c *Change) version(now int64) int64 { return max(now, c.Before.Version+1) }

// writes returns all writes of the change except that of its audit event, and the event. It computes them from what was
// read, and does no I/O. Two changes may have the same conditions or marks among their writes.
func (c *Change) writes(namespace string, parents *Graph, now int64) ([]backend.Write, Event, error) {
	id := c.After.ID
	after := c.After
	after.Record.ID, after.Record.CreatedAt = id.Entity, c.Before.Record.CreatedAt
	if !c.Before.Exists {
		after.Record.CreatedAt = Instant(now)
	}
	record, err := c.recordWrite(namespace, &after, now)
	if err != nil {
		return nil, Event{}, err
	}
	writes := append(c.parentWrites(namespace, parents, now), record)
	switch {
	case id.Kind == KindEntity && !after.Exists:
		writes = append(writes, requireNoAdoption(namespace, id.Entity, c.adoptions))
	case id.Kind == KindLimits && id.Resource != "":
		mark := schema.Limited(namespace, id.Entity, id.Resource)
		writes = append(writes, markWrite(mark, after.Exists, now))
	}
	if after.Exists && id.Entity != "" && !(id.Kind == KindEntity && c.Before.Exists) { // the deletion of an entity that exists begins with its record
		writes = append(writes, requireNoDeletion(namespace, id.Entity))
	}
	return append(writes, c.listWrites(namespace, record.Key)...), c.event(&after), nil
}

// recordWrite writes or deletes the setting's record, if that is as it was read.
func (c *Change) recordWrite(namespace string, after *Setting, now int64) (w backend.Write, err error) {
	key, place := after.ID.record(namespace)
	version := after.ID.versionSlot()
	w = backend.Write{Key: key, Layout: schema.LayoutOf(key), Conds: []backend.Cond{versionIs(version, c.Before.Exists, c.Before.Version)}}
	if !after.Exists {
		w.Remove = c.Before.Exists
		return w, nil
	}
	w.Index = place
	w.Effects = []backend.Effect{setNum(version, c.version(now))}
	if after.ID.Kind != KindEntity {
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
func (c *Change) parentWrites(namespace string, parents *Graph, now int64) (writes []backend.Write) {
	id, from, to := c.After.ID.Entity, c.Before.Record.Parent, c.After.Record.Parent
	if c.After.ID.Kind != KindEntity || c.After.Exists && from == to {
		return nil
	}
	if from != "" {
		writes = append(writes, markWrite(schema.Child(namespace, from, id), false, now))
	}
	if !c.After.Exists || to == "" {
		return writes
	}
	writes = append(writes, markWrite(schema.Child(namespace, to, id), true, now))
	if parents.exists(to) {
		writes = append(writes, countAdoption(namespace, to, now))
	}
	return append(writes, parents.versionChecks(namespace, id)...)
}

// listWrites changes the lists of the manifests that managed the record and that manage it afterwards.
func (c *Change) listWrites(namespace string, record backend.Key) (writes []backend.Write) {
	if c.Before.Manifest == c.After.Manifest {
		return nil
	}
	for _, manifest := range []string{c.After.Manifest, c.Before.Manifest} {
		if manifest == "" {
			continue
		}
		key, text := schema.Managed(namespace, manifest, record)
		w := backend.Write{Key: key, Layout: schema.ManagedLayout, Remove: true}
		if manifest == c.After.Manifest {
			w.Remove, w.Effects = false, []backend.Effect{setText(schema.ManagedText, text)}
		}
		writes = append(writes, w)
	}
	return writes
}

// event is the change's audit event.
func (c *Change) event(after *Setting) Event {
	id := after.ID
	e := Event{Action: schema.ActionLimitsSet, Entity: id.Entity, Resource: id.Resource, Before: c.document(&c.Before), After: c.document(after)}
	switch {
	case id.Kind != KindEntity && !after.Exists:
		e.Action = schema.ActionLimitsDeleted
	case id.Kind != KindEntity:
	case !after.Exists:
		e.Action = actionEntityDeleted
	case c.Before.Exists:
		e.Action = actionEntityUpdated
	default:
		e.Action = actionEntityCreated
	}
	return e
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
	metadata, err := EncodeMetadata(s.Record.Metadata)
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
