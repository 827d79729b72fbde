package changes

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// setNum stores a number.
func setNum(s backend.Slot, n int64) backend.Effect {
	return backend.Effect{Slot: s, Op: backend.Set, Num: backend.Int(n)}
}

// setText stores a text, or removes the field if the text is empty.
func setText(s backend.Slot, text string) backend.Effect {
	if text == "" {
		return backend.Effect{Slot: s, Op: backend.Unset}
	}
	return backend.Effect{Slot: s, Op: backend.Set, Text: text}
}

// markWrite sets or deletes a mark: a record whose presence is all that it says.
func markWrite(key backend.Key, set bool, now int64) backend.Write {
	w := backend.Write{Key: key, Layout: schema.MarkLayout, Remove: !set}
	if set {
		w.Effects = []backend.Effect{setNum(schema.MarkAt, now)}
	}
	return w
}

// versionIs demands that a record has this version, or that there is no record.
func versionIs(version backend.Slot, exists bool, n int64) backend.Cond {
	return numberIs(version, exists, backend.Int(n))
}

// Unchanged demands that a record's version is that of r, or that there still is no record.
func Unchanged(r *backend.Record, version backend.Slot) backend.Cond {
	n, exists := r.Num(version)
	return numberIs(version, exists, n)
}

func numberIs(s backend.Slot, exists bool, n backend.Num) backend.Cond {
	if !exists {
		return backend.Cond{Slot: s, Op: backend.Absent}
	}
	return backend.Cond{Slot: s, Op: backend.Equal, A: n}
}

// nextVersion is the version after that of r.
func nextVersion(now int64, r *backend.Record, version backend.Slot) int64 {
	return max(now, r.Int64(version)+1)
}

// deleteUnchanged deletes the record if its version is that of r.
func deleteUnchanged(key backend.Key, r *backend.Record, version backend.Slot) backend.Write {
	return backend.Write{Key: key, Layout: r.Layout(), Conds: []backend.Cond{Unchanged(r, version)}, Remove: true}
}

// deleteAny deletes a record of any kind, also one that cannot be read. If another record may have the key by then, the
// commit needs a condition on a record that tells.
func deleteAny(key backend.Key) backend.Write {
	layout := schema.LayoutOf(key)
	if layout == nil {
		layout = schema.MarkLayout // any layout does: without conditions the store reads no field
	}
	return backend.Write{Key: key, Layout: layout, Remove: true}
}

// countAdoption counts in a mark that an entity, which exists, was given a child.
func countAdoption(namespace, parent string, now int64) backend.Write {
	return backend.Write{
		Key: schema.Adoption(namespace, parent), Layout: schema.MarkLayout,
		Effects: []backend.Effect{{Slot: schema.MarkAt, Op: backend.Add, Num: backend.Int(1), Base: backend.Int(now - 1)}},
	}
}

// requireNoAdoption deletes that mark of an entity that is deleted, and demands that it is as it was in r, read before the
// entity's children were listed: an entity that was given a child since then is not deleted.
func requireNoAdoption(namespace, parent string, r *backend.Record) backend.Write {
	return deleteUnchanged(schema.Adoption(namespace, parent), r, schema.MarkAt)
}

// requireNoDeletion demands that the entity is not being deleted.
func requireNoDeletion(namespace, entity string) backend.Write {
	return backend.Write{
		Key: schema.Deletion(namespace, entity), Layout: schema.MarkLayout,
		Conds: []backend.Cond{{Slot: schema.MarkAt, Op: backend.Absent}},
	}
}
