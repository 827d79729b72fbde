package engine

import (
	"context"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
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
