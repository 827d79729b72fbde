package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/cascade"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Level tells where limits come from. The first level that has any supplies all of them.
type Level uint8

// The levels, first to last.
const (
	LevelNone           Level = iota // no limits anywhere
	LevelEntityResource              // stored for the entity and resource
	LevelEntity                      // stored for the entity, all resources
	LevelResource                    // stored for the resource
	LevelSystem                      // stored for the system
	LevelRequest                     // brought by a request
)

// String is the level's name.
func (l Level) String() string {
	return [...]string{"none", "entity+resource", "entity", "resource", "system", "request"}[min(l, LevelRequest)]
}

// MarshalText makes the level's name its text, also in JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Explanation says which configured limits are in force for an entity and a resource.
type Explanation struct {
	Path     []PathLevel // first the entity, then the parents to which it cascades
	Warnings []string    // sentences about likely mistakes: a cascade to a parent without limits, or one that only the system's limits cap
}

// PathLevel is one entity on the path.
type PathLevel struct {
	Entity  string
	Cascade bool    // acquires also charge the next entity on the path
	Level   Level   // where its limits are configured; LevelNone if nowhere, so that it is not charged
	Limits  []Limit // by name
}

// Explain reads from the store which configured limits are in force for an entity and a resource and for its parents, and
// where they are configured. It ignores what this process remembers, and writes nothing. It returns ErrCycle if the path is
// longer than 8, and a *ValidationError for bad input.
func (l *Limiter) Explain(ctx context.Context, entity, resource string) (Explanation, error) {
	now, err := l.now()
	if err != nil {
		return Explanation{}, err
	}
	var x Explanation
	for id := entity; id != ""; {
		if len(x.Path) == cascade.MostPath {
			return Explanation{}, cascade.TooLong(entity)
		}
		b, err := l.charger.StateAt(&charge.ID{Entity: id, Resource: resource})
		if err != nil {
			return Explanation{}, err
		}
		c, err := l.charger.Reload(ctx, b, now)
		if err != nil {
			return Explanation{}, store.Failure(ctx, err)
		}
		x.Path = append(x.Path, PathLevel{id, c.Parent != "", Level(c.Level), c.Stored.Limits()})
		id = c.Parent
	}
	for i, p := range x.Path {
		switch {
		case i == 0:
		case p.Level == LevelNone:
			x.Warnings = append(x.Warnings, fmt.Sprintf("parent %q has no limits on %s: cascading to it limits nothing there; set limits for it", p.Entity, resource))
		case p.Level == LevelSystem:
			x.Warnings = append(x.Warnings, cappedBySystem(p.Entity))
		}
	}
	return x, nil
}

func cappedBySystem(parent string) string {
	return fmt.Sprintf("parent %q has no limits of its own: the system's default limits cap it, so all of its children share them; set limits for it", parent)
}

// CascadeWarnings returns sentences about likely mistakes in the parents that an entity cascades to, for all resources: a
// parent without limits of its own, so that the cascade limits nothing, or only by default limits, which all children of
// the parent then share. It reads from the store and writes nothing. [Limiter.Explain] says more about one resource. It
// returns ErrEntityNotFound if the entity does not exist, and a *ValidationError for bad input.
func (l *Limiter) CascadeWarnings(ctx context.Context, entity string) (warnings []string, err error) {
	e, err := l.Entity(ctx, entity)
	if err != nil {
		return nil, err
	}
	for depth := 1; e.Cascade && e.Parent != "" && depth < cascade.MostPath; depth++ {
		parent := e.Parent
		warning, err := l.parentWarning(ctx, parent)
		if err != nil {
			return nil, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
		if e, err = l.Entity(ctx, parent); err != nil && !errors.Is(err, ErrEntityNotFound) {
			return nil, err
		}
	}
	return warnings, nil
}

// parentWarning returns the warning about one parent, "" if there is none.
func (l *Limiter) parentWarning(ctx context.Context, parent string) (string, error) {
	own, err := walk(ctx, l, Page{Size: 1}, l.admin.LimitsOf(parent), func(_ backend.Item, r *backend.Record) (struct{}, bool, error) {
		return struct{}{}, r.Has(schema.ConfigLimits), nil
	})
	if err != nil || len(own.Items) > 0 {
		return "", err
	}
	system, err := l.store.ReadOne(ctx, schema.System(l.opts.Namespace))
	if err != nil {
		return "", err
	}
	if system.Has(schema.ConfigLimits) {
		return cappedBySystem(parent), nil
	}
	return fmt.Sprintf("parent %q has no limits of its own: cascading to it limits nothing, except on resources with default limits; set limits for it", parent), nil
}
