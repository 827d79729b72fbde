package engine

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// site is a place at which limits can be stored: the system, a resource, an entity, an entity and a resource.
type site struct {
	entity, resource string
	key              backend.Key
	place            *backend.Place     // nil: not listed
	concerns         func(*handle) bool // the buckets whose limits may come from here
}

func (l *Limiter) systemSite() site {
	return site{key: schema.System(l.opts.Namespace), concerns: func(*handle) bool { return true }}
}

func (l *Limiter) resourceSite(resource string) site {
	key, place := schema.Resource(l.opts.Namespace, resource)
	return site{"", resource, key, &place, func(h *handle) bool { return h.id.resource == resource }}
}

// entitySite is for resource "" the entity's default.
func (l *Limiter) entitySite(entity, resource string) site {
	key, place := schema.EntityLimits(l.opts.Namespace, entity, resource)
	return site{entity, resource, key, &place, func(h *handle) bool {
		return h.id.entity == entity && (resource == "" || h.id.resource == resource)
	}}
}

// configure stores limits, and a policy unless that is PolicyDefault. Without limits it stores the policy alone.
func (l *Limiter) configure(ctx context.Context, s site, limits []Limit, policy Policy) error {
	alone := len(limits) == 0 && policy != PolicyDefault
	if err := checkLimits("Limits", limits); err != nil && !alone {
		return err
	}
	return l.admitted(ctx, func(now int64) error {
		r, guard, err := l.survey(ctx, s, now)
		if err != nil {
			return err
		}
		before, err := l.configOf(r)
		if err != nil {
			return err
		}
		after := before
		w := backend.Write{
			Key: s.key, Layout: schema.ConfigLayout, Index: s.place, Conds: []backend.Cond{unchanged(r, schema.ConfigVer)},
			Effects: []backend.Effect{setNum(schema.ConfigVer, following(now, r, schema.ConfigVer))},
		}
		if !alone {
			p := planOf(limits, false)
			after.Limits = p.limits()
			w.Effects = append(w.Effects, backend.Effect{Slot: schema.ConfigLimits, Op: backend.Set, Text: p.text})
		}
		if policy != PolicyDefault {
			after.OnUnavailable = policy
			w.Effects = append(w.Effects, setNum(schema.ConfigUnavailable, int64(policy)))
		}
		if after.equal(&before) { // as somebody else has stored it, perhaps, of whom this process does not know
			l.buckets.forget(s.concerns)
			return nil
		}
		writes := append(guard, w)
		if key, ok := l.limitedKey(s); ok {
			writes = append(writes, setMark(key, now))
		}
		e := event{action: actionLimitsSet, entity: s.entity, resource: s.resource, before: before.document(), after: after.document()}
		return l.reconfigured(ctx, now, s, e, writes)
	})
}

// deconfigure removes all that is stored at the site.
func (l *Limiter) deconfigure(ctx context.Context, s site) error {
	return l.admitted(ctx, func(now int64) error {
		r, err := l.readOne(ctx, s.key)
		if err != nil {
			return err
		}
		if !r.Present() {
			l.buckets.forget(s.concerns)
			return nil
		}
		writes, e, err := l.removal(s, r)
		if err != nil {
			return err
		}
		return l.reconfigured(ctx, now, s, e, writes)
	})
}

// removal is the writes that remove what r says is stored at the site, and its event.
func (l *Limiter) removal(s site, r *backend.Record) ([]backend.Write, event, error) {
	w := holds(s.key, r, schema.ConfigVer)
	w.Remove = true
	manifest, _ := r.Text(schema.ConfigManifest)
	before, err := l.configOf(r)
	e := event{action: actionLimitsDeleted, entity: s.entity, resource: s.resource, before: before.document()}
	writes := append(l.unmanaged(manifest, s.key), w)
	if key, ok := l.limitedKey(s); ok {
		writes = append(writes, removeMark(key))
	}
	return writes, e, err
}

// unmanaged takes a record that goes from the list of the manifest that manages it ("": none does).
func (l *Limiter) unmanaged(manifest string, record backend.Key) []backend.Write {
	if manifest == "" {
		return nil
	}
	key, _ := schema.Managed(l.opts.Namespace, manifest, record)
	return []backend.Write{{Key: key, Layout: schema.ManagedLayout, Remove: true}}
}

// reconfigured commits, and makes this process know of it at once, also where it may have happened only.
func (l *Limiter) reconfigured(ctx context.Context, now int64, s site, e event, writes []backend.Write) error {
	err := l.commitAudited(ctx, now, e, writes...)
	l.buckets.forget(s.concerns)
	return err
}

// survey reads what is stored at the site. Where that belongs to an entity, a deletion of it that was interrupted is
// brought to its end first, and guard demands that no other begins.
func (l *Limiter) survey(ctx context.Context, s site, now int64) (r *backend.Record, guard []backend.Write, err error) {
	if s.entity == "" {
		r, err = l.readOne(ctx, s.key)
		return r, nil, err
	}
	guard = []backend.Write{unmarked(l.opts.Namespace, s.entity)}
	out, err := l.read(ctx, []backend.Key{s.key, guard[0].Key})
	if err == nil && out[1].Present() {
		if err = l.finishDeletion(ctx, s.entity, out[1].Int64(schema.MarkAt), now); err == nil {
			out, err = l.read(ctx, []backend.Key{s.key})
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return &out[0], guard, nil
}

// configured reads what is stored at the site.
func (l *Limiter) configured(ctx context.Context, s site) (SystemConfig, error) {
	if err := l.admit(ctx); err != nil {
		return SystemConfig{}, err
	}
	r, err := l.readOne(ctx, s.key)
	if err != nil {
		return SystemConfig{}, err
	}
	return l.configOf(r)
}

func (l *Limiter) configOf(r *backend.Record) (c SystemConfig, err error) {
	c.OnUnavailable = Policy(r.Int64(schema.ConfigUnavailable))
	packed, ok := r.Text(schema.ConfigLimits)
	if !ok {
		return c, nil
	}
	p, err := l.plans.get(packed)
	if err != nil {
		return c, failure(context.Background(), err)
	}
	c.Limits = p.limits()
	return c, nil
}

func (c *SystemConfig) equal(o *SystemConfig) bool {
	return c.OnUnavailable == o.OnUnavailable && slices.Equal(c.Limits, o.Limits)
}

// configDocument is what is stored at a site, in an audit event.
type configDocument struct {
	Limits        []limitDocument `json:"limits"`
	OnUnavailable string          `json:"on_unavailable,omitempty"`
}

type limitDocument struct {
	Name                string  `json:"name"`
	Capacity            int64   `json:"capacity"`
	RefillAmount        int64   `json:"refill_amount"`
	RefillPeriodSeconds float64 `json:"refill_period_seconds"`
}

func documentOf(l Limit) limitDocument {
	return limitDocument{l.Name, l.Capacity, l.RefillAmount, l.RefillPeriod.Seconds()}
}

// document is nil where nothing is stored.
func (c *SystemConfig) document() any {
	if len(c.Limits) == 0 && c.OnUnavailable == PolicyDefault {
		return nil
	}
	d := configDocument{Limits: make([]limitDocument, len(c.Limits))}
	for i, limit := range c.Limits {
		d.Limits[i] = documentOf(limit)
	}
	if c.OnUnavailable != PolicyDefault {
		d.OnUnavailable = c.OnUnavailable.String()
	}
	return d
}
