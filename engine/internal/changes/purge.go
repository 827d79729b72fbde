package changes

import (
	"context"
	"errors"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// purgedAtOnce is how many records one commit deletes. An entity may have 64 KiB of metadata, and DynamoDB takes 4 MB of
// items in one transaction.
const purgedAtOnce = 50

// DeleteAll deletes the records of a namespace that is being purged until a scan finds none: limiters that have not noticed its deletion yet may
// still write some. Somebody else may finish the purge first, and the name may be registered again: so a page is deleted only
// if the namespace is still being purged after the page was read.
func (a *Admin) DeleteAll(ctx context.Context, namespace string) error {
	for position, found := "", 0; ; {
		keys, next, err := a.Store.Scan(ctx, namespace, position, backend.MaxPage)
		if err != nil {
			return err
		}
		r, err := a.Store.ReadOne(ctx, schema.Namespace(namespace))
		if err != nil {
			return err
		}
		if state, _ := r.Text(schema.NamespaceState); state != Purging {
			return nil
		}
		if err := a.deletePurged(ctx, namespace, keys); err != nil {
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
func (a *Admin) deletePurged(ctx context.Context, namespace string, keys []backend.Key) error {
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
		Conds: []backend.Cond{{Slot: schema.NamespaceState, Op: backend.Equal, Text: Purging}},
	}
	for chunk := range slices.Chunk(records, purgedAtOnce) {
		err := a.Store.Commit(ctx, append([]backend.Write{purging}, chunk...), purging.Key)
		if errors.Is(err, backend.ErrConflict) {
			return nil // somebody else has finished the purge, as the next read of the namespace shows
		}
		if err != nil {
			return err
		}
	}
	return a.Store.ApplyAll(ctx, events)
}
