package changes

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// CheckOrphans returns an error of Orphaned for each entity that is deleted and would still be another's parent. It reads the
// mark of adoptions first, so that entities which are given a child later are not deleted.
func (a *Admin) CheckOrphans(ctx context.Context, changes []*Change) error {
	after, newChild := map[string]*Setting{}, map[string]string{}
	for _, c := range changes {
		if id := c.After.ID; id.Kind == KindEntity {
			after[id.Entity] = &c.After
			if c.Moves() {
				newChild[c.After.Record.Parent] = id.Entity
			}
		}
	}
	orphaned := make([]error, len(changes))
	var group errgroup.Group
	group.SetLimit(a.Store.ParallelCalls())
	for i, c := range changes {
		id := c.After.ID
		if id.Kind != KindEntity || c.After.Exists {
			continue
		}
		group.Go(func() (err error) {
			if c.adoptions, err = a.Store.ReadOne(ctx, schema.Adoption(a.Namespace, id.Entity)); err != nil {
				return err
			}
			child, err := a.remainingChild(ctx, id.Entity, after)
			if child = cmp.Or(child, newChild[id.Entity]); child != "" {
				orphaned[i] = a.Orphaned(id.Entity, child)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	orphaned = slices.DeleteFunc(orphaned, func(err error) bool { return err == nil })
	slices.SortFunc(orphaned, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(orphaned...)
}

// remainingChild returns a child that the entity still has when all changes are made, "" if there is none.
func (a *Admin) remainingChild(ctx context.Context, id string, after map[string]*Setting) (string, error) {
	for page := (store.Range{Size: backend.MaxPage}); ; {
		children, next, err := a.children(ctx, id, page)
		if err != nil {
			return "", err
		}
		for _, child := range children {
			if s := after[child.ID]; s == nil || s.Exists && s.Record.Parent == id {
				return child.ID, nil
			}
		}
		if page.After = next; next == "" {
			return "", nil
		}
	}
}
