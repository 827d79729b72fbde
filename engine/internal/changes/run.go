package changes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Run makes many changes, in many commits.
type Run struct {
	Admin     *Admin
	Parents   *Graph                      // that ReadParents returned for the changes
	Progress  func(done int)              // called with the number of changes made, by one goroutine at a time; nil: not called
	LimitsSet func(context.Context, []ID) // called with the limits of entities for resources that a commit has set

	lock  sync.Mutex // guards what follows, and calls of progress
	done  int
	stale []string
}

// Make makes the changes. It returns ErrStale if some were given up, because their settings were changed after they had been
// read.
func (r *Run) Make(ctx context.Context, changes []*Change) error {
	err := r.commitStages(ctx, changes)
	if told := r.Admin.tellOfMany(ctx, r.done-len(r.stale)); err == nil {
		err = told
	}
	if err != nil {
		return err
	}
	return r.staleError()
}

func (r *Run) commitStages(ctx context.Context, changes []*Change) error {
	for _, stage := range r.stages(changes) {
		if err := r.commitStage(ctx, stage.groups); err != nil {
			return err
		}
	}
	return nil
}

// changeGroup is changes that are made one after the other, because they write or demand some of the same records:
// DynamoDB refuses transactions that meet in a record.
type changeGroup []*Change

// changeStage is the groups that may be committed at the same time, once the stage before is done.
type changeStage struct {
	groups []changeGroup
	index  map[string]int // of the group with a name
}

// add adds a change to the group with a name; without one the change is a group of its own.
func (s *changeStage) add(name string, c *Change) {
	i, known := s.index[name]
	if !known || name == "" {
		if s.index == nil {
			s.index = map[string]int{}
		}
		i = len(s.groups)
		s.index[name], s.groups = i, append(s.groups, nil)
	}
	s.groups[i] = append(s.groups[i], c)
}

// stages puts changes in order: limits, entities with parents before their children, limits that are deleted, entities that
// are deleted.
func (r *Run) stages(changes []*Change) []changeStage {
	const afterEntities = 1 + MostPath
	stages := make([]changeStage, afterEntities+2)
	for _, c := range changes {
		id := c.After.ID
		switch {
		case !c.After.Exists && !c.Before.Exists:
		case !c.After.Exists && id.Kind == KindEntity:
			stages[afterEntities+1].add(id.Entity, c)
		case !c.After.Exists:
			stages[afterEntities].add(id.Entity, c)
		case id.Kind == KindEntity:
			depth, root := r.Parents.depthAndRoot(id.Entity)
			stages[1+depth].add(root, c)
		default:
			stages[0].add(id.Entity, c)
		}
	}
	return stages
}

// commitStage makes the changes of a stage, several commits at a time. After a first error it begins no more commits, and
// returns when those that were begun have ended.
func (r *Run) commitStage(ctx context.Context, groups []changeGroup) error {
	var (
		parallel errgroup.Group
		failed   atomic.Bool
	)
	parallel.SetLimit(r.Admin.Store.ParallelCalls())
	for _, group := range r.packCommits(groups) {
		parallel.Go(func() error {
			for conflicts := 0; len(group) > 0 && !failed.Load(); {
				left, err := r.commitNext(ctx, group)
				if conflicts++; len(left) < len(group) {
					conflicts = 0
				}
				if err == nil && conflicts > store.MaxConflicts {
					err = store.ErrContention
				}
				if err != nil {
					failed.Store(true)
					return err
				}
				group = left
			}
			return nil
		})
	}
	return parallel.Wait()
}

// packCommits joins groups as long as one commit can make all of their changes, so that a manifest takes few commits.
func (r *Run) packCommits(groups []changeGroup) (packed []changeGroup) {
	free := 0
	for _, group := range groups {
		keys := map[backend.Key]bool{}
		for _, c := range group {
			for _, key := range r.keys(c) {
				keys[key] = true
			}
		}
		size := len(keys) + len(group) // each change has an audit event
		if size > free {
			packed, free = append(packed, nil), backend.MaxCommit
		}
		last := &packed[len(packed)-1]
		*last, free = append(*last, group...), free-size
	}
	return packed
}

// keys are the records that a change writes, or of which it demands something.
func (r *Run) keys(c *Change) []backend.Key {
	writes, _, _ := c.writes(r.Admin.Namespace, r.Parents, 0) // an error shows when the change is made
	keys := make([]backend.Key, len(writes))
	for i := range writes {
		keys[i] = writes[i].Key
	}
	return keys
}

// commitNext makes the first changes of a group in one commit, and returns those that are left. Changes that are stale are
// given up; if none is, the commit can be tried again.
func (r *Run) commitNext(ctx context.Context, group changeGroup) (left changeGroup, err error) {
	if err := ctx.Err(); err != nil {
		return group, err
	}
	now, err := r.Admin.Now()
	if err != nil {
		return group, err
	}
	n, err := r.Admin.commitChanges(ctx, group, r.Parents, now)
	if conflict := (*backend.ConflictError)(nil); errors.As(err, &conflict) {
		return r.giveUpStale(ctx, group, n, conflict, now)
	}
	if err != nil {
		return group, err
	}
	r.reportLimits(ctx, group[:n])
	r.count(n, nil)
	return group[n:], nil
}

// giveUpStale drops, after a conflict, those of the first n changes that meet the record which was changed meanwhile. If
// somebody began to delete the entity, it finishes that instead.
func (r *Run) giveUpStale(ctx context.Context, group changeGroup, n int, conflict *backend.ConflictError, now int64) (changeGroup, error) {
	isStale := func(c *Change) bool { return slices.Contains(r.keys(c), conflict.Key) }
	i := slices.IndexFunc(group[:n], isStale)
	if i < 0 { // an event's key cannot be there: a store that says so is broken
		return group, conflict
	}
	if entity := group[i].After.ID.Entity; conflict.Key == schema.Deletion(r.Admin.Namespace, entity) {
		err := r.Admin.finishDeletion(ctx, entity, conflict.Record.Int64(schema.MarkAt), now)
		if errors.Is(err, backend.ErrConflict) { // somebody else has finished it
			err = nil
		}
		return group, err
	}
	var left, stale changeGroup
	for i, c := range group {
		if i < n && isStale(c) {
			stale = append(stale, c)
		} else {
			left = append(left, c)
		}
	}
	r.count(len(stale), stale)
	return left, nil
}

// reportLimits calls LimitsSet.
func (r *Run) reportLimits(ctx context.Context, changes []*Change) {
	var ids []ID
	for _, c := range changes {
		if id := c.After.ID; id.Kind == KindLimits && id.Resource != "" && c.After.Exists && !c.After.SameContent(&c.Before) {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		r.LimitsSet(ctx, ids)
	}
}

// count counts changes that were made, or given up as stale.
func (r *Run) count(n int, stale changeGroup) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.done += n
	for _, c := range stale {
		r.stale = append(r.stale, c.After.ID.String())
	}
	if r.Progress != nil {
		r.Progress(r.done)
	}
}

// staleError names changes that were given up; nil if none was.
func (r *Run) staleError() error {
	if len(r.stale) == 0 {
		return nil
	}
	const most = 5
	names := slices.Sorted(slices.Values(r.stale))
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(r.stale)-most))
	}
	return fmt.Errorf("%w: %s", ErrStale, strings.Join(names, ", "))
}
