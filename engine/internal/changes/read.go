package changes

import (
	"cmp"
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ReadAll reads settings and returns them in the order of the ids; each is read at a moment of its own.
func (a *Admin) ReadAll(ctx context.Context, ids []ID) ([]Setting, error) {
	keys := make([]backend.Key, len(ids))
	for i, id := range ids {
		keys[i], _ = id.record(a.Namespace)
	}
	out, unreadable, err := a.Store.ReadMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	settings := make([]Setting, len(ids))
	for i := range out {
		if unreadable[i] != nil {
			return nil, unreadable[i]
		}
		if settings[i], err = settingOf(ids[i], &out[i]); err != nil {
			return nil, err
		}
	}
	return settings, nil
}

// Managed reads all settings that a manifest manages, in the order of ID.Compare.
func (a *Admin) Managed(ctx context.Context, manifest string) ([]Setting, error) {
	keys, err := a.managedKeys(ctx, manifest)
	if err != nil {
		return nil, err
	}
	settings, err := a.settingsAt(ctx, keys)
	return slices.DeleteFunc(settings, func(s Setting) bool { return s.Manifest != manifest }), err
}

// Scan reads every setting of the namespace, in the order of ID.Compare. The store must be able to scan.
func (a *Admin) Scan(ctx context.Context) ([]Setting, error) {
	var found []backend.Key
	for position := ""; ; {
		keys, next, err := a.Store.Scan(ctx, a.Namespace, position, backend.MaxPage)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if _, ok := idAt(k); ok {
				found = append(found, k)
			}
		}
		if position = next; next == "" {
			return a.settingsAt(ctx, found)
		}
	}
}

// settingsAt reads the settings whose records have these keys, and sorts them. It leaves out those that were deleted
// meanwhile, and keys of other records. It skips and reports those that cannot be read.
func (a *Admin) settingsAt(ctx context.Context, keys []backend.Key) ([]Setting, error) {
	out, unreadable, err := a.Store.ReadMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	var settings []Setting
	var skip store.Skipped
	for i, k := range keys {
		id, ok := idAt(k)
		if !ok || unreadable[i] == nil && !out[i].Present() {
			continue
		}
		s, err := settingOf(id, &out[i])
		if err = cmp.Or(unreadable[i], err); err != nil {
			skip.Add(1, err)
			continue
		}
		settings = append(settings, s)
	}
	a.Store.Report(ctx, skip)
	slices.SortFunc(settings, func(a, b Setting) int { return a.ID.Compare(b.ID) })
	return settings, nil
}

// managedKeys reads a manifest's list: the keys of the records that it manages.
func (a *Admin) managedKeys(ctx context.Context, manifest string) ([]backend.Key, error) {
	ns := a.Namespace
	q := backend.Query{Namespace: ns, Partition: schema.ManagedPartition(manifest), Size: backend.MaxPage}
	var keys, long []backend.Key
	var skip store.Skipped
	defer func() { a.Store.Report(ctx, skip) }()
	add := func(id string) {
		k, ok := schema.ManagedRecord(ns, id)
		if !ok || k.Validate() != nil {
			skip.Add(1, store.ErrKey)
			return
		}
		keys = append(keys, k)
	}
	for {
		found, err := a.Store.Keys(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, it := range found.Items {
			if id, whole := schema.ManagedID(it.Sort); !whole {
				long = append(long, it.Key)
			} else {
				add(id)
			}
		}
		if !found.More || len(found.Items) == 0 {
			break
		}
		q.After = &found.Items[len(found.Items)-1]
	}
	out, unreadable, err := a.Store.ReadMany(ctx, long)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if unreadable[i] != nil {
			skip.Add(1, unreadable[i])
		} else if id, ok := out[i].Text(schema.ManagedText); ok { // else it was deleted meanwhile
			add(id)
		}
	}
	return keys, nil
}
