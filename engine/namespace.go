package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/names"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// The states of a namespace. Limiters work only in an active one. A deleted one can be recovered or purged. One that is
// being purged is losing its records.
const (
	NamespaceActive  = changes.Active
	NamespaceDeleted = changes.Deleted
	NamespacePurging = changes.Purging
)

// Namespace is a separate part of a store: limiters of one namespace never see the records of another. "default" exists
// without being registered.
type Namespace struct {
	Name      string
	State     string    // NamespaceActive, NamespaceDeleted or NamespacePurging
	CreatedAt time.Time // zero for "default"
	DeletedAt time.Time // zero while it is active
}

// RegisterNamespace creates a namespace. It is no error if the namespace is active already. It returns a *ValidationError
// if the namespace is deleted: recover or purge it first. Audited as namespace_registered.
func (l *Limiter) RegisterNamespace(ctx context.Context, name string) error {
	return l.changeNamespace(ctx, name, func(before *changes.Namespace, now int64) (*changes.Namespace, string, error) {
		switch {
		case before == nil:
			return &changes.Namespace{Name: name, State: NamespaceActive, CreatedAt: changes.Instant(now)}, changes.NamespaceRegistered, nil
		case before.State != NamespaceActive:
			return nil, "", &ValidationError{"Namespace", name, "is " + before.State + "; recover it, or purge it before registering it again"}
		}
		return before, "", nil
	})
}

// DeleteNamespace marks a namespace as deleted: limiters no longer work in it, and its records stay until it is purged. It
// is no error if the namespace is deleted already. It returns a *ValidationError for "default", and ErrNamespaceNotFound
// if the namespace is not registered. Audited as namespace_deleted.
func (l *Limiter) DeleteNamespace(ctx context.Context, name string) error {
	return l.changeNamespace(ctx, name, func(before *changes.Namespace, now int64) (*changes.Namespace, string, error) {
		switch {
		case name == DefaultNamespace:
			return nil, "", &ValidationError{"Namespace", name, "always exists and cannot be deleted"}
		case before == nil:
			return nil, "", fmt.Errorf("%w: %q", ErrNamespaceNotFound, name)
		case before.State != NamespaceActive:
			return before, "", nil
		}
		return before.In(NamespaceDeleted, changes.Instant(now)), changes.NamespaceDeleted, nil
	})
}

// RecoverNamespace makes a deleted namespace active again. It is no error if the namespace is active already. It returns a
// *ValidationError if the namespace is being purged, and ErrNamespaceNotFound if it is not registered. Audited as
// namespace_recovered.
func (l *Limiter) RecoverNamespace(ctx context.Context, name string) error {
	return l.changeNamespace(ctx, name, func(before *changes.Namespace, _ int64) (*changes.Namespace, string, error) {
		switch {
		case before == nil:
			return nil, "", fmt.Errorf("%w: %q", ErrNamespaceNotFound, name)
		case before.State == NamespacePurging:
			return nil, "", &ValidationError{"Namespace", name, "is being purged, so records are lost; finish the purge"}
		case before.State == NamespaceActive:
			return before, "", nil
		}
		return before.In(NamespaceActive, time.Time{}), changes.NamespaceRecovered, nil
	})
}

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
	if err := l.admin.DeleteAll(ctx, name); err != nil {
		return err
	}
	return l.changeNamespace(ctx, name, endPurge)
}

func beginPurge(name string) func(*changes.Namespace, int64) (*changes.Namespace, string, error) {
	return func(before *changes.Namespace, _ int64) (*changes.Namespace, string, error) {
		switch {
		case before == nil:
			return nil, "", fmt.Errorf("%w: %q", ErrNamespaceNotFound, name)
		case before.State == NamespaceActive:
			return nil, "", &ValidationError{"Namespace", name, "is active; delete it before it is purged"}
		case before.State == NamespacePurging:
			return before, "", nil
		}
		return before.In(NamespacePurging, before.DeletedAt), changes.NamespacePurged, nil
	}
}

// endPurge changes nothing if somebody else has finished the purge meanwhile, and perhaps registered the name again.
func endPurge(before *changes.Namespace, _ int64) (*changes.Namespace, string, error) {
	if before == nil || before.State != NamespacePurging {
		return before, "", nil
	}
	return nil, changes.NamespacePurged, nil
}

// Namespace reads the registration of a namespace, also of a deleted one. It returns ErrNamespaceNotFound if the namespace is
// not registered.
func (l *Limiter) Namespace(ctx context.Context, name string) (Namespace, error) {
	if err := checkName(names.Namespace, "Namespace", name); err != nil {
		return Namespace{}, err
	}
	if err := l.checkSchema(ctx); err != nil {
		return Namespace{}, err
	}
	r, err := l.store.ReadOne(ctx, schema.Namespace(name))
	if err != nil {
		return Namespace{}, err
	}
	if n := changes.NamespaceOf(name, r); n != nil {
		return Namespace(*n), nil
	}
	return Namespace{}, fmt.Errorf("%w: %q", ErrNamespaceNotFound, name)
}

// ListNamespaces lists all namespaces by name, also deleted ones and "default".
func (l *Limiter) ListNamespaces(ctx context.Context, p Page) (List[Namespace], error) {
	if err := l.checkSchema(ctx); err != nil {
		return List[Namespace]{}, err
	}
	s := store.Listing{Query: backend.Query{Namespace: schema.Reserved, Partition: schema.NamespacesPartition}, Keys: l.admin.NamespaceKeys}
	return walk(ctx, l, p, s, func(it backend.Item, r *backend.Record) (Namespace, bool, error) {
		n := changes.NamespaceOf(it.Sort, r)
		if n == nil {
			return Namespace{}, false, nil
		}
		return Namespace(*n), true, nil
	})
}

// changeNamespace changes a registration. See [changes.Admin.ChangeNamespace].
func (l *Limiter) changeNamespace(ctx context.Context, name string, next func(before *changes.Namespace, now int64) (*changes.Namespace, string, error)) error {
	if err := checkName(names.Namespace, "Namespace", name); err != nil {
		return err
	}
	if err := l.checkSchema(ctx); err != nil {
		return err
	}
	return l.admin.ChangeNamespace(ctx, name, next)
}

// forgetNamespace lets the next acquires check the limiter's namespace again, if it is this one.
func (l *Limiter) forgetNamespace(name string) {
	if name == l.opts.Namespace {
		l.follow.Recheck()
		l.forgetBuckets(changes.ID{Kind: changes.KindSystem})
	}
}

// checkNamespace returns an error unless the limiter's namespace is active and the store's schema is known.
func (l *Limiter) checkNamespace(ctx context.Context) error {
	return l.checkRecords(ctx, l.namespaceCheckKeys())
}

// checkSchema returns an error unless the store's schema is known. It is for calls outside of any namespace.
func (l *Limiter) checkSchema(ctx context.Context) error {
	if l.checked.Load() {
		return nil
	}
	return l.checkRecords(ctx, []backend.Key{schema.Version()})
}

func (l *Limiter) checkRecords(ctx context.Context, keys []backend.Key) error {
	if len(keys) == 0 {
		return nil
	}
	out, err := l.store.Read(ctx, keys)
	if err != nil {
		return err
	}
	return l.checkNamespaceRecords(ctx, out)
}

// namespaceCheckKeys are the records to read for checkNamespaceRecords: the namespace's registration, each time, and the
// version of the schema, once.
func (l *Limiter) namespaceCheckKeys() []backend.Key {
	var keys []backend.Key
	if l.opts.Namespace != DefaultNamespace {
		keys = append(keys, schema.Namespace(l.opts.Namespace))
	}
	if !l.checked.Load() {
		keys = append(keys, schema.Version())
	}
	return keys
}

// checkNamespaceRecords returns an error unless the namespace is active and the schema is known. It registers a namespace that is
// missing, if the options say so.
func (l *Limiter) checkNamespaceRecords(ctx context.Context, out []backend.Record) error {
	for i := range out {
		r := &out[i]
		switch r.Layout() {
		case schema.VersionLayout:
			if v := r.Int64(schema.VersionNumber); v > schema.CurrentVersion {
				return fmt.Errorf("%w: it has version %d, this program knows %d", ErrSchema, v, schema.CurrentVersion)
			}
			l.checked.Store(true)
		case schema.NamespaceLayout:
			if r.Present() {
				if state, _ := r.Text(schema.NamespaceState); state != NamespaceActive {
					return fmt.Errorf("%w: %q is %s", ErrNamespaceNotFound, l.opts.Namespace, state)
				}
			} else if !l.opts.CreateNamespace {
				return fmt.Errorf("%w: %q", ErrNamespaceNotFound, l.opts.Namespace)
			} else if err := l.RegisterNamespace(ctx, l.opts.Namespace); err != nil {
				return err
			}
		}
	}
	return nil
}
