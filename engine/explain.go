package engine

import (
	"context"
	"fmt"
)

// Explanation tells which limits are in force for an entity and a resource.
type Explanation struct {
	Path []PathLevel // the entity first, then its parents as far as it cascades
}

// PathLevel is one entity on the path.
type PathLevel struct {
	Entity  string
	Cascade bool    // takes from the bucket of the next on the path too
	Level   Level   // where its limits are stored; LevelNone: nowhere, it does not take part
	Limits  []Limit // by name
}

// Explain reads, from the store and not from memory, which stored limits are in force for an entity and a resource, where
// they come from, and those of the parents. It writes nothing. ErrCycle where the path is longer than 8; *ValidationError.
func (l *Limiter) Explain(ctx context.Context, entity, resource string) (Explanation, error) {
	now, err := l.now()
	if err != nil {
		return Explanation{}, err
	}
	var x Explanation
	for id := entity; id != ""; {
		if len(x.Path) == mostPath {
			return Explanation{}, fmt.Errorf("%w: above %q", ErrCycle, entity)
		}
		h, err := l.handle(&bucketID{id, resource})
		if err != nil {
			return Explanation{}, err
		}
		c, err := l.reload(ctx, h, now)
		if err != nil {
			return Explanation{}, failure(ctx, err)
		}
		x.Path = append(x.Path, PathLevel{id, c.parent != "", c.level, c.stored.limits()})
		id = c.parent
	}
	return x, nil
}
