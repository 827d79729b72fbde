package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// SystemConfig is what is stored for the whole system.
type SystemConfig struct {
	Limits        []Limit // for whoever has none at a narrower level, by name; nil: none
	OnUnavailable Policy  // PolicyDefault: none
}

// SystemOptions go beside the system's limits.
type SystemOptions struct {
	OnUnavailable Policy // what limiters do that have no policy of their own; PolicyDefault keeps what is stored
}

// SetSystemDefaults stores limits for whoever has none at a narrower level, in place of those that were there, and a policy.
// No options, or PolicyDefault in them, keep the stored policy; no limits beside a policy keep the stored limits, so that a
// policy can be stored alone. Neither of both is a *ValidationError. Audited as limits_set, unless nothing changed.
func (l *Limiter) SetSystemDefaults(ctx context.Context, limits []Limit, o *SystemOptions) error {
	policy := PolicyDefault
	if o != nil {
		policy = o.OnUnavailable
	}
	if err := checkPolicy("OnUnavailable", policy); err != nil {
		return err
	}
	err := l.configure(ctx, l.systemSite(), limits, policy)
	if err == nil && policy != PolicyDefault {
		l.policy.Store(uint32(policy))
	}
	return err
}

// SystemDefaults reads what is stored for the system; the zero SystemConfig where nothing is.
func (l *Limiter) SystemDefaults(ctx context.Context) (SystemConfig, error) {
	return l.configured(ctx, l.systemSite())
}

// DeleteSystemDefaults removes the system's limits and its policy; nothing happens where there are none. Audited as
// limits_deleted.
func (l *Limiter) DeleteSystemDefaults(ctx context.Context) error {
	err := l.deconfigure(ctx, l.systemSite())
	if err == nil {
		l.policy.Store(uint32(PolicyDefault))
	}
	return err
}

// SetResourceDefaults stores limits for all who use the resource and have none of their own, in place of those that were
// there. *ValidationError. Audited as limits_set, unless nothing changed.
func (l *Limiter) SetResourceDefaults(ctx context.Context, resource string, limits []Limit) error {
	if err := checkResource(resource); err != nil {
		return err
	}
	return l.configure(ctx, l.resourceSite(resource), limits, PolicyDefault)
}

// ResourceDefaults reads the limits stored for a resource, by name; nil where there are none.
func (l *Limiter) ResourceDefaults(ctx context.Context, resource string) ([]Limit, error) {
	if err := checkResource(resource); err != nil {
		return nil, err
	}
	c, err := l.configured(ctx, l.resourceSite(resource))
	return c.Limits, err
}

// DeleteResourceDefaults removes the limits stored for a resource; nothing happens where there are none. Audited as
// limits_deleted.
func (l *Limiter) DeleteResourceDefaults(ctx context.Context, resource string) error {
	if err := checkResource(resource); err != nil {
		return err
	}
	return l.deconfigure(ctx, l.resourceSite(resource))
}

// Resources lists the resources that have limits of their own. One that was changed just now may be missing, or be listed still.
func (l *Limiter) Resources(ctx context.Context, p Page) (List[string], error) {
	return l.sites(ctx, schema.ResourcesIndex, p, func(sort string) string { return sort })
}

// SetLimits stores an entity's limits for a resource ("": its default for all), in place of those that were there; the
// entity need not exist. The bucket that it has is converted at once where the store can be reached, else at its next
// acquire. *ValidationError. Audited as limits_set, unless nothing changed.
func (l *Limiter) SetLimits(ctx context.Context, entity, resource string, limits []Limit) error {
	if err := checkTarget(entity, resource); err != nil {
		return err
	}
	if err := l.configure(ctx, l.entitySite(entity, resource), limits, PolicyDefault); err != nil || resource == "" {
		return err
	}
	// The limits are stored, and acquires convert, too: failing is not worth an error. ErrNoLimits: somebody deleted them.
	if err := l.convertLive(ctx, entity, resource); err != nil && !errors.Is(err, ErrNoLimits) {
		l.warn(ctx, l.clock.now(), "limiter: limits are stored, their bucket will be converted at its next acquire",
			"entity", entity, "resource", resource, "error", err)
	}
	return nil
}

// Limits reads the limits stored for an entity and a resource ("": its default for all), by name; nil where there are
// none. Explain tells which ones are in force.
func (l *Limiter) Limits(ctx context.Context, entity, resource string) ([]Limit, error) {
	if err := checkTarget(entity, resource); err != nil {
		return nil, err
	}
	c, err := l.configured(ctx, l.entitySite(entity, resource))
	return c.Limits, err
}

// DeleteLimits removes the limits stored for an entity and a resource ("": its default for all); nothing happens where
// there are none. Audited as limits_deleted.
func (l *Limiter) DeleteLimits(ctx context.Context, entity, resource string) error {
	if err := checkTarget(entity, resource); err != nil {
		return err
	}
	return l.deconfigure(ctx, l.entitySite(entity, resource))
}

// EntitiesWithLimits lists the entities that have limits of their own for a resource ("": a default for all). One that was
// changed just now may be missing, or be listed still.
func (l *Limiter) EntitiesWithLimits(ctx context.Context, resource string, p Page) (List[string], error) {
	if resource != "" {
		if err := checkResource(resource); err != nil {
			return List[string]{}, err
		}
	}
	return l.sites(ctx, schema.LimitsIndex(resource), p, schema.EntityOf)
}

// sites lists where limits are stored, by an index; name reads its sorts.
func (l *Limiter) sites(ctx context.Context, partition string, p Page, name func(sort string) string) (List[string], error) {
	if err := l.admit(ctx); err != nil {
		return List[string]{}, err
	}
	s := listing{query: backend.Query{Namespace: l.opts.Namespace, Partition: partition, Index: true}}
	return walk(ctx, l, p, s, func(it backend.Item, r *backend.Record) (string, bool, error) {
		return name(it.Sort), r.Has(schema.ConfigLimits), nil
	})
}
