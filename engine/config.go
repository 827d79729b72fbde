package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// SystemConfig is the configuration of the whole system.
type SystemConfig struct {
	Limits        []Limit // of everybody without limits at a narrower level, by name; nil: none
	OnUnavailable Policy  // PolicyDefault: none
}

// SystemOptions are set together with the system's limits.
type SystemOptions struct {
	OnUnavailable Policy // of limiters that have no policy of their own; PolicyDefault keeps the stored policy
}

// SetSystemDefaults sets the limits of everybody who has none at a narrower level, in place of the stored ones, and a
// policy. Without options, or with PolicyDefault, the stored policy stays. With a policy and without limits the stored
// limits stay. It returns a *ValidationError if there is neither. Audited as limits_set, unless nothing changed.
func (l *Limiter) SetSystemDefaults(ctx context.Context, limits []Limit, o *SystemOptions) error {
	policy := PolicyDefault
	if o != nil {
		policy = o.OnUnavailable
	}
	if err := checkPolicy("OnUnavailable", policy); err != nil {
		return err
	}
	return l.setLimits(ctx, SettingID{Kind: SettingSystem}, limits, policy)
}

// SystemDefaults reads the system's configuration; it is the zero SystemConfig if none is stored.
func (l *Limiter) SystemDefaults(ctx context.Context) (SystemConfig, error) {
	s, err := l.setting(ctx, SettingID{Kind: SettingSystem})
	return SystemConfig{s.Limits, s.OnUnavailable}, err
}

// DeleteSystemDefaults deletes the system's limits and its policy. It is no error if there are none. Audited as
// limits_deleted.
func (l *Limiter) DeleteSystemDefaults(ctx context.Context) error {
	return l.deleteSetting(ctx, SettingID{Kind: SettingSystem})
}

// SetResourceDefaults sets the limits of everybody who uses the resource and has none of their own, in place of the stored
// ones. It returns a *ValidationError for bad input. Audited as limits_set, unless nothing changed.
func (l *Limiter) SetResourceDefaults(ctx context.Context, resource string, limits []Limit) error {
	if err := checkResource(resource); err != nil {
		return err
	}
	return l.setLimits(ctx, SettingID{Kind: SettingResource, Resource: resource}, limits, PolicyDefault)
}

// ResourceDefaults reads the limits of a resource, by name; nil if it has none.
func (l *Limiter) ResourceDefaults(ctx context.Context, resource string) ([]Limit, error) {
	if err := checkResource(resource); err != nil {
		return nil, err
	}
	s, err := l.setting(ctx, SettingID{Kind: SettingResource, Resource: resource})
	return s.Limits, err
}

// DeleteResourceDefaults deletes the limits of a resource. It is no error if it has none. Audited as limits_deleted.
func (l *Limiter) DeleteResourceDefaults(ctx context.Context, resource string) error {
	if err := checkResource(resource); err != nil {
		return err
	}
	return l.deleteSetting(ctx, SettingID{Kind: SettingResource, Resource: resource})
}

// Resources lists the resources that have limits of their own. The index behind it lags: a resource that was changed a
// moment ago may be missing, or still be listed.
func (l *Limiter) Resources(ctx context.Context, p Page) (List[string], error) {
	return l.configured(ctx, schema.ResourcesIndex, p, func(sort string) string { return sort })
}

// SetLimits sets an entity's limits for a resource ("": for all resources), in place of the stored ones. The entity needs
// no record. The bucket for that resource is converted at once if the store can be reached, and by its next acquire
// otherwise. It returns a *ValidationError for bad input. Audited as limits_set, unless nothing changed.
func (l *Limiter) SetLimits(ctx context.Context, entity, resource string, limits []Limit) error {
	if err := checkTarget(entity, resource); err != nil {
		return err
	}
	if err := l.setLimits(ctx, SettingID{SettingLimits, entity, resource}, limits, PolicyDefault); err != nil || resource == "" {
		return err
	}
	// ErrNoLimits: somebody has deleted the limits since.
	if err := l.convertLive(ctx, entity, resource, nil); err != nil && !errors.Is(err, ErrNoLimits) {
		l.warn(ctx, l.clock.now(), "limiter: limits are stored, their bucket will be converted at its next acquire",
			"entity", entity, "resource", resource, "error", err)
	}
	return nil
}

// Limits reads the limits of an entity for a resource ("": for all resources), by name; nil if it has none.
// [Limiter.Explain] finds the limits that are in force.
func (l *Limiter) Limits(ctx context.Context, entity, resource string) ([]Limit, error) {
	if err := checkTarget(entity, resource); err != nil {
		return nil, err
	}
	s, err := l.setting(ctx, SettingID{SettingLimits, entity, resource})
	return s.Limits, err
}

// DeleteLimits deletes the limits of an entity for a resource ("": for all resources). It is no error if it has none.
// Audited as limits_deleted.
func (l *Limiter) DeleteLimits(ctx context.Context, entity, resource string) error {
	if err := checkTarget(entity, resource); err != nil {
		return err
	}
	return l.deleteSetting(ctx, SettingID{SettingLimits, entity, resource})
}

// EntitiesWithLimits lists the entities that have limits of their own for a resource ("": for all resources). The index
// behind it lags: an entity that was changed a moment ago may be missing, or still be listed.
func (l *Limiter) EntitiesWithLimits(ctx context.Context, resource string, p Page) (List[string], error) {
	if err := checkFilter("", resource); err != nil {
		return List[string]{}, err
	}
	return l.configured(ctx, schema.LimitsIndex(resource), p, schema.EntityOf)
}

// ResourcesWithEntityLimits lists the resources for which at least one entity has limits of its own, in the store's key order,
// whether or not the resource has limits. EntitiesWithLimits lists these entities. Limits of an entity for all resources do
// not count. It returns a *ValidationError for a bad page.
func (l *Limiter) ResourcesWithEntityLimits(ctx context.Context, p Page) (List[string], error) {
	if err := l.checkNamespace(ctx); err != nil {
		return List[string]{}, err
	}
	s := store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.LimitedPartition}, Keys: l.admin.LimitedKeys}
	return walk(ctx, l, p, s, func(it backend.Item, _ *backend.Record) (string, bool, error) {
		resource, _ := schema.LimitedResource(it.Sort)
		return resource, true, nil // also if this entity's limits were deleted since: another's may be there
	})
}

// configured lists the records of an index that have limits; name decodes their sorts.
func (l *Limiter) configured(ctx context.Context, partition string, p Page, name func(sort string) string) (List[string], error) {
	if err := l.checkNamespace(ctx); err != nil {
		return List[string]{}, err
	}
	s := store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: partition, Index: true}}
	return walk(ctx, l, p, s, func(it backend.Item, r *backend.Record) (string, bool, error) {
		return name(it.Sort), r.Has(schema.ConfigLimits), nil
	})
}

// setLimits sets limits, and a policy unless it is PolicyDefault. Without limits it sets the policy alone.
func (l *Limiter) setLimits(ctx context.Context, id SettingID, limits []Limit, policy Policy) error {
	if len(limits) > 0 || policy == PolicyDefault {
		if err := checkLimits("Limits", limits); err != nil {
			return err
		}
	}
	return l.change(ctx, id, true, func(c *changes.Change) error {
		c.After.Exists = true
		if len(limits) > 0 {
			c.After.Limits = limits
		}
		if policy != PolicyDefault {
			c.After.OnUnavailable = changes.Policy(policy)
		}
		return nil
	})
}

func (l *Limiter) deleteSetting(ctx context.Context, id SettingID) error {
	return l.change(ctx, id, false, func(c *changes.Change) error {
		c.After = changes.Setting{ID: id.internal()}
		return nil
	})
}

func (l *Limiter) setting(ctx context.Context, id SettingID) (Setting, error) {
	if err := l.checkNamespace(ctx); err != nil {
		return Setting{}, err
	}
	s, err := l.admin.Read(ctx, id.internal())
	return settingFrom(s), err
}

// change makes one change in the limiter's namespace, which must be active. See [changes.Admin.Change].
func (l *Limiter) change(ctx context.Context, id SettingID, creates bool, next func(*changes.Change) error) error {
	if err := l.checkNamespace(ctx); err != nil {
		return err
	}
	return l.admin.Change(ctx, id.internal(), creates, next)
}

// administer makes another change in the limiter's namespace, which must be active. See [changes.Admin.Retry].
func (l *Limiter) administer(ctx context.Context, attempt func(now int64) error) error {
	if err := l.checkNamespace(ctx); err != nil {
		return err
	}
	return l.admin.Retry(ctx, attempt)
}
