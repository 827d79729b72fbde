package engine

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

// manifestRun makes the changes of one call of ApplyManifest.
type manifestRun struct {
	l        *Limiter
	parents  *parentGraph
	progress func(int)

	lock  sync.Mutex // guards what follows, and calls of progress
	done  int
	stale []string
}

// changeGroup is changes that are made one after the other, because they write or demand some of the same records:
// DynamoDB refuses transactions that meet in a record.
type changeGroup []*change

// changeStage is the groups that may be committed at the same time, once the stage before is done.
type changeStage struct {
	groups []changeGroup
	index  map[string]int // of the group with a name
}

// add adds a change to the group with a name; without one the change is a group of its own.
func (s *changeStage) add(name string, c *change) {
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
func (m *manifestRun) stages(changes []*change) []changeStage {
	const afterEntities = 1 + mostPath
	stages := make([]changeStage, afterEntities+2)
	for _, c := range changes {
		id := c.after.ID
		switch {
		case !c.after.Exists && !c.before.Exists:
		case !c.after.Exists && id.Kind == SettingEntity:
			stages[afterEntities+1].add(id.Entity, c)
		case !c.after.Exists:
			stages[afterEntities].add(id.Entity, c)
		case id.Kind == SettingEntity:
			depth, root := m.parents.depthAndRoot(id.Entity)
			stages[1+depth].add(root, c)
		default:
			stages[0].add(id.Entity, c)
		}
	}
	return stages
}

// commitStage makes the changes of a stage, several commits at a time. After a first error it begins no more commits, and
// returns when those that were begun have ended.
func (m *manifestRun) commitStage(ctx context.Context, groups []changeGroup) error {
	var (
		parallel errgroup.Group
		failed   atomic.Bool
	)
	parallel.SetLimit(m.l.store.ParallelCalls())
	for _, group := range m.packCommits(groups) {
		parallel.Go(func() error {
			for conflicts := 0; len(group) > 0 && !failed.Load(); {
				left, err := m.commitNext(ctx, group)
				if conflicts++; len(left) < len(group) {
					conflicts = 0
				}
				if err == nil && conflicts > store.MaxConflicts {
					err = ErrContention
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
func (m *manifestRun) packCommits(groups []changeGroup) (packed []changeGroup) {
	free := 0
	for _, group := range groups {
		keys := map[backend.Key]bool{}
		for _, c := range group {
			for _, key := range m.keys(c) {
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
func (m *manifestRun) keys(c *change) []backend.Key {
	writes, _, _ := c.writes(m.l.opts.Namespace, m.parents, 0) // an error shows when the change is made
	keys := make([]backend.Key, len(writes))
	for i := range writes {
		keys[i] = writes[i].Key
	}
	return keys
}

// commitNext makes the first changes of a group in one commit, and returns those that are left. Changes that are stale are
// given up; if none is, the commit can be tried again.
func (m *manifestRun) commitNext(ctx context.Context, group changeGroup) (left changeGroup, err error) {
	if err := ctx.Err(); err != nil {
		return group, err
	}
	now, err := m.l.now()
	if err != nil {
		return group, err
	}
	n, err := m.l.commitChanges(ctx, group, m.parents, now)
	if conflict := (*backend.ConflictError)(nil); errors.As(err, &conflict) {
		return m.giveUpStale(ctx, group, n, conflict, now)
	}
	if err != nil {
		return group, err
	}
	m.convertBuckets(ctx, group[:n])
	m.count(n, nil)
	return group[n:], nil
}

// giveUpStale drops, after a conflict, those of the first n changes that meet the record which was changed meanwhile. If
// somebody began to delete the entity, it finishes that instead.
func (m *manifestRun) giveUpStale(ctx context.Context, group changeGroup, n int, conflict *backend.ConflictError, now int64) (changeGroup, error) {
	isStale := func(c *change) bool { return slices.Contains(m.keys(c), conflict.Key) }
	i := slices.IndexFunc(group[:n], isStale)
	if i < 0 { // an event's key cannot be there: a store that says so is broken
		return group, conflict
	}
	if entity := group[i].after.ID.Entity; conflict.Key == schema.Deletion(m.l.opts.Namespace, entity) {
		err := m.l.finishDeletion(ctx, entity, conflict.Record.Int64(schema.MarkAt), now)
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
	m.count(len(stale), stale)
	return left, nil
}

// convertBuckets converts the buckets of entities and resources for which limits were set. If it fails, their next
// acquires convert them, so that is no error.
func (m *manifestRun) convertBuckets(ctx context.Context, changes []*change) {
	l := m.l
	var ids []SettingID
	var keys []backend.Key
	for _, c := range changes {
		if id := c.after.ID; id.Kind == SettingLimits && id.Resource != "" && c.after.Exists && !c.after.SameContent(&c.before) {
			key, _ := schema.Bucket(l.opts.Namespace, id.Entity, id.Resource)
			ids, keys = append(ids, id), append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	out, err := l.store.Read(ctx, keys)
	for i := range out {
		if out[i].Present() {
			err = errors.Join(err, l.convertLive(ctx, ids[i].Entity, ids[i].Resource))
		}
	}
	if err != nil && !errors.Is(err, ErrNoLimits) {
		l.warn(ctx, l.clock.now(), "limiter: limits are stored, buckets will be converted at their next acquire", "error", err)
	}
}

// count counts changes that were made, or given up as stale.
func (m *manifestRun) count(n int, stale changeGroup) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.done += n
	for _, c := range stale {
		m.stale = append(m.stale, c.after.ID.String())
	}
	if m.progress != nil {
		m.progress(m.done)
	}
}

// staleError names changes that were given up; nil if none was.
func (m *manifestRun) staleError() error {
	if len(m.stale) == 0 {
		return nil
	}
	const most = 5
	names := slices.Sorted(slices.Values(m.stale))
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(m.stale)-most))
	}
	return fmt.Errorf("%w: %s", ErrStale, strings.Join(names, ", "))
}
