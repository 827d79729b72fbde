package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// PurgeNamespace deletes all records of a deleted namespace and then its registration, so that the name can be registered
// again. A purge that was interrupted goes on when it is called again. It returns a *ValidationError if the namespace is
// active or is "default", or if the store cannot list a namespace, and ErrNamespaceNotFound if it is not registered.
// Audited as namespace_purged when it begins and when it ends.
func (l *Limiter) PurgeNamespace(ctx context.Context, name string) error {
	if l.store.Capabilities().Scan == nil {
		return &ValidationError{"store", fmt.Sprintf("%T", l.store.Backend), "must be able to list a whole namespace to purge it"}
	}
	if name == DefaultNamespace {
		return &ValidationError{"Namespace", name, "always exists and cannot be purged"}
	}
	if err := l.changeNamespace(ctx, name, beginPurge(name)); err != nil {
		return err
	}
	if err := l.deleteAll(ctx, name); err != nil {
		return err
	}
	return l.changeNamespace(ctx, name, endPurge)
}

func beginPurge(name string) func(*Namespace, int64) (*Namespace, string, error) {
	return func(before *Namespace, _ int64) (*Namespace, string, error) {
		switch {
		case before == nil:
			return nil, "", fmt.Errorf("%w: %q", ErrNamespaceNotFound, name)
		case before.State == NamespaceActive:
			return nil, "", &ValidationError{"Namespace", name, "is active; delete it before it is purged"}
		case before.State == NamespacePurging:
			return before, "", nil
		}
		return before.in(NamespacePurging, before.DeletedAt), actionNamespacePurged, nil
	}
}

// endPurge changes nothing if somebody else has finished the purge meanwhile, and perhaps registered the name again.
func endPurge(before *Namespace, _ int64) (*Namespace, string, error) {
	if before == nil || before.State != NamespacePurging {
		return before, "", nil
	}
	return nil, actionNamespacePurged, nil
}

// purgedAtOnce is how many records one commit deletes. An entity may have 64 KiB of metadata, and DynamoDB takes 4 MB of
// items in one transaction.
const purgedAtOnce = 50

// deleteAll deletes the records of a namespace until a scan finds none: limiters that have not noticed its deletion yet may
// still write some. Somebody else may finish the purge first, and the name may be registered again: so a page is deleted only
// if the namespace is still being purged after the page was read.
func (l *Limiter) deleteAll(ctx context.Context, namespace string) error {
	for position, found := "", 0; ; {
		keys, next, err := l.store.Scan(ctx, namespace, position, backend.MaxPage)
		if err != nil {
			return err
		}
		r, err := l.store.ReadOne(ctx, schema.Namespace(namespace))
		if err != nil {
			return err
		}
		if state, _ := r.Text(schema.NamespaceState); state != NamespacePurging {
			return nil
		}
		if err := l.deletePurged(ctx, namespace, keys); err != nil {
			return err
		}
		if position, found = next, found+len(keys); position == "" {
			if found == 0 {
				return nil
			}
			found = 0
		}
	}
}

// deletePurged deletes records of a namespace that is being purged. A request may take effect long after it was sent, when
// the purge is over and the name has been registered again: so each commit demands that the namespace is still being
// purged. Only audit events need no such condition, because no two events have the same key.
func (l *Limiter) deletePurged(ctx context.Context, namespace string, keys []backend.Key) error {
	var events, records []backend.Write
	for _, k := range keys {
		w := deleteAny(k)
		if w.Layout == schema.AuditLayout {
			events = append(events, w)
		} else {
			records = append(records, w)
		}
	}
	purging := backend.Write{
		Key: schema.Namespace(namespace), Layout: schema.NamespaceLayout,
		Conds: []backend.Cond{{Slot: schema.NamespaceState, Op: backend.Equal, Text: NamespacePurging}},
	}
	for chunk := range slices.Chunk(records, purgedAtOnce) {
		err := l.store.Commit(ctx, append([]backend.Write{purging}, chunk...), purging.Key)
		if errors.Is(err, backend.ErrConflict) {
			return nil // somebody else has finished the purge, as the next read of the namespace shows
		}
		if err != nil {
			return err
		}
	}
	return l.store.ApplyAll(ctx, events)
}
