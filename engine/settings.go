package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	readChunk        = 100 // keys of one read, the most that DynamoDB takes at once
	maxParallelCalls = 8   // of an operation that makes many calls
)

// Settings reads any number of settings and returns them in the order of the ids; Exists is false for those that are not
// stored. They are not a snapshot: each is read at a moment of its own. *ValidationError.
func (l *Limiter) Settings(ctx context.Context, ids []SettingID) ([]Setting, error) {
	keys := make([]backend.Key, len(ids))
	for i, id := range ids {
		if err := id.check(); err != nil {
			return nil, err
		}
		keys[i], _ = id.record(l.opts.Namespace)
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	out, unreadable, err := l.readMany(ctx, keys)
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
	if l.caps.Scan == nil {
		return nil, &ValidationError{"store", fmt.Sprintf("%T", l.store), "cannot list a whole namespace, which reading all settings needs"}
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	var found []backend.Key
	for position := ""; ; {
		keys, next, err := l.scan(ctx, l.opts.Namespace, position, backend.MaxPage)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if _, ok := settingAt(k); ok {
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
	out, unreadable, err := l.readMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	var settings []Setting
	var skip skipped
	for i, k := range keys {
		id, ok := settingAt(k)
		if !ok || unreadable[i] == nil && !out[i].Present() {
			continue
		}
		s, err := settingOf(id, &out[i])
		if err = cmp.Or(unreadable[i], err); err != nil {
			skip.add(1, err)
			continue
		}
		settings = append(settings, s)
	}
	l.report(ctx, skip)
	slices.SortFunc(settings, func(a, b Setting) int { return a.ID.Compare(b.ID) })
	return settings, nil
}

// managedKeys reads a manifest's list: the keys of the records that it manages.
func (l *Limiter) managedKeys(ctx context.Context, manifest string) ([]backend.Key, error) {
	ns := l.opts.Namespace
	q := backend.Query{Namespace: ns, Partition: schema.ManagedPartition(manifest), Size: backend.MaxPage}
	var keys, long []backend.Key
	var skip skipped
	defer func() { l.report(ctx, skip) }()
	add := func(id string) {
		k, ok := schema.ManagedRecord(ns, id)
		if !ok || k.Validate() != nil {
			skip.add(1, errKey)
			return
		}
		keys = append(keys, k)
	}
	for {
		found, err := l.keys(ctx, q)
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
	out, unreadable, err := l.readMany(ctx, long)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if unreadable[i] != nil {
			skip.add(1, unreadable[i])
		} else if id, ok := out[i].Text(schema.ManagedText); ok { // else it was deleted meanwhile
			add(id)
		}
	}
	return keys, nil
}

// readMany reads any number of records, several calls at a time. unreadable has the reason for each that cannot be read, by
// index.
func (l *Limiter) readMany(ctx context.Context, keys []backend.Key) (out []backend.Record, unreadable map[int]error, err error) {
	out, unreadable = make([]backend.Record, len(keys)), map[int]error{}
	var group errgroup.Group
	var lock sync.Mutex // guards unreadable
	group.SetLimit(l.parallelCalls())
	for from := 0; from < len(keys); from += readChunk {
		to := min(from+readChunk, len(keys))
		group.Go(func() error {
			chunk, reasons, err := l.readable(ctx, keys[from:to])
			copy(out[from:to], chunk)
			lock.Lock()
			defer lock.Unlock()
			for i, err := range reasons {
				unreadable[from+i] = err
			}
			return err
		})
	}
	err = group.Wait()
	return out, unreadable, err
}

// parallelCalls is how many calls of the store an operation makes at the same time.
func (l *Limiter) parallelCalls() int {
	if l.noIO {
		return 1
	}
	return maxParallelCalls
}
