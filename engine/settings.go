package engine

import (
	"context"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
)

// Settings reads any number of settings and returns them in the order of the ids; Exists is false for those that are not
// stored. They are not a snapshot: each is read at a moment of its own. *ValidationError.
func (l *Limiter) Settings(ctx context.Context, ids []SettingID) ([]Setting, error) {
	internal := make([]changes.ID, len(ids))
	for i, id := range ids {
		if err := id.check(); err != nil {
			return nil, err
		}
		internal[i] = id.internal()
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	all, err := l.admin.ReadAll(ctx, internal)
	if err != nil {
		return nil, err
	}
	return settingsFrom(all), nil
}

// ManagedSettings reads all settings that a manifest manages, in the order of [SettingID.Compare]. *ValidationError.
func (l *Limiter) ManagedSettings(ctx context.Context, manifest string) ([]Setting, error) {
	if err := CheckManifest(manifest); err != nil {
		return nil, err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	all, err := l.admin.Managed(ctx, manifest)
	return settingsFrom(all), err
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
	all, err := l.admin.Scan(ctx)
	return settingsFrom(all), err
}

// settingsFrom are settings of package changes.
func settingsFrom(all []changes.Setting) []Setting {
	if all == nil {
		return nil
	}
	settings := make([]Setting, len(all))
	for i := range all {
		settings[i] = settingFrom(all[i])
	}
	return settings
}
