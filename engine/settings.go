package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Settings reads any number of settings and returns them in the order of the ids; Exists is false for those that are not
// stored. They are not a snapshot: each is read at a moment of its own. *ValidationError.
func (l *Limiter) Settings(ctx context.Context, ids []SettingID) ([]Setting, error) {
	keys := make([]backend.Key, len(ids))
	for i, id := range ids {
		if err := id.check(); err != nil {
			return nil, err
		}
		keys[i], _ = id.internal().Record(l.opts.Namespace)
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	out, unreadable, err := l.store.ReadMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	settings := make([]Setting, len(ids))
	for i := range out {
		if unreadable[i] != nil {
			return nil, unreadable[i]
		}
		s, err := changes.SettingOf(ids[i].internal(), &out[i])
		if err != nil {
			return nil, err
		}
		settings[i] = settingFrom(s)
	}
	return settings, nil
}

// ManagedSettings reads all settings that a manifest manages, in the order of [SettingID.Compare]. *ValidationError.
func (l *Limiter) ManagedSettings(ctx context.Context, manifest string) ([]Setting, error) {
	if err := CheckManifest(manifest); err != nil {
		return nil, err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	keys, err := l.managedKeys(ctx, manifest)
	if err != nil {
		return nil, err
	}
	settings, err := l.settingsAt(ctx, keys)
	return slices.DeleteFunc(settings, func(s Setting) bool { return s.Manifest != manifest }), err
}

// AllSettings reads every setting of the limiter's namespace, in the order of [SettingID.Compare]. It scans all records of
// the namespace, also buckets: on DynamoDB that reads the whole table. It returns a *ValidationError if the store cannot
// scan.
func (l *Limiter) AllSettings(ctx context.Context) ([]Setting, error) {
	if l.store.Capabilities().Scan == nil {
		return nil, &ValidationError{"store", fmt.Sprintf("%T", l.store.Backend), "cannot list a whole namespace, which reading all settings needs"}
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	var found []backend.Key
	for position := ""; ; {
		keys, next, err := l.store.Scan(ctx, l.opts.Namespace, position, backend.MaxPage)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if _, ok := changes.IDAt(k); ok {
				found = append(found, k)
			}
		}
		if position = next; next == "" {
			return l.settingsAt(ctx, found)
		}
	}
}

// settingsAt reads the settings whose records have these keys, and sorts them. It leaves out those that were deleted
// meanwhile, and keys of other records. It skips and reports those that cannot be read.
func (l *Limiter) settingsAt(ctx context.Context, keys []backend.Key) ([]Setting, error) {
	out, unreadable, err := l.store.ReadMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	var settings []Setting
	var skip store.Skipped
	for i, k := range keys {
		id, ok := changes.IDAt(k)
		if !ok || unreadable[i] == nil && !out[i].Present() {
			continue
		}
		s, err := changes.SettingOf(id, &out[i])
		if err = cmp.Or(unreadable[i], err); err != nil {
			skip.Add(1, err)
			continue
		}
		settings = append(settings, settingFrom(s))
	}
	l.store.Report(ctx, skip)
	slices.SortFunc(settings, func(a, b Setting) int { return a.ID.Compare(b.ID) })
	return settings, nil
}

// managedKeys reads a manifest's list: the keys of the records that it manages.
func (l *Limiter) managedKeys(ctx context.Context, manifest string) ([]backend.Key, error) {
	ns := l.opts.Namespace
	q := backend.Query{Namespace: ns, Partition: schema.ManagedPartition(manifest), Size: backend.MaxPage}
	var keys, long []backend.Key
	var skip store.Skipped
	defer func() { l.store.Report(ctx, skip) }()
	add := func(id string) {
		k, ok := schema.ManagedRecord(ns, id)
		if !ok || k.Validate() != nil {
			skip.Add(1, store.ErrKey)
			return
		}
		keys = append(keys, k)
	}
	for {
		found, err := l.store.Keys(ctx, q)
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
	out, unreadable, err := l.store.ReadMany(ctx, long)
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
