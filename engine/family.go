package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// family is who stands above entities that are to be changed, as it will be when all is done.
type family struct {
	lock    sync.Mutex // guards versions
	members map[string]*member
}

// member is one entity of a family, with or without a record.
type member struct {
	parent  string
	exists  bool // it has a record now
	ver     int64
	adopted backend.Record // of one whose record goes: its mark, read before its children were listed
}

// familyOf reads what stands above the entities that the changes set. ErrCycle where that leads back, or too far; a
// *MissingParentError for each parent that a change names anew and that will not exist, unless that is allowed.
func (l *Limiter) familyOf(ctx context.Context, changes []SettingChange, allowMissing bool) (*family, error) {
	f := &family{members: map[string]*member{}}
	var above []string
	for i := range changes {
		c := &changes[i]
		if c.After.ID.Kind == SettingEntity {
			f.members[c.After.ID.Entity] = &member{parent: c.After.Record.Parent, exists: c.Before.Exists, ver: c.Before.ver}
			above = append(above, c.After.Record.Parent)
		}
	}
	for len(above) > 0 {
		var unknown []string
		for _, id := range above {
			if id != "" && f.members[id] == nil {
				f.members[id] = &member{}
				unknown = append(unknown, id)
			}
		}
		keys := make([]backend.Key, len(unknown))
		for i, id := range unknown {
			keys[i], _ = schema.Entity(l.opts.Namespace, id)
		}
		out, odd, err := l.readMany(ctx, keys)
		for _, unreadable := range odd { // whose parent is not known
			err = cmp.Or(err, unreadable)
		}
		if err != nil {
			return nil, err
		}
		above = above[:0]
		for i, id := range unknown {
			m := f.members[id]
			m.parent, _ = out[i].Text(schema.EntityParent)
			m.exists, m.ver = out[i].Present(), out[i].Int64(schema.EntityVer)
			above = append(above, m.parent)
		}
	}
	err := f.check(changes)
	if err == nil && !allowMissing {
		err = f.missing(changes)
	}
	return f, err
}

// missing names the parents that changes give to entities, and that will not be there when all changes are made.
func (f *family) missing(changes []SettingChange) error {
	exists := map[string]bool{}
	for id, m := range f.members {
		exists[id] = m.exists
	}
	for i := range changes {
		if after := &changes[i].After; after.ID.Kind == SettingEntity {
			exists[after.ID.Entity] = after.Exists
		}
	}
	var found []error
	for i := range changes {
		c := &changes[i]
		if parent := c.After.Record.Parent; c.moves() && parent != "" && !exists[parent] {
			found = append(found, &MissingParentError{c.After.ID.Entity, parent})
		}
	}
	return errors.Join(found...)
}

func (f *family) check(changes []SettingChange) error {
	for i := range changes {
		id := changes[i].After.ID
		if id.Kind != SettingEntity || !changes[i].After.Exists {
			continue
		}
		depth := 0
		for parent := f.members[id.Entity].parent; parent != ""; parent = f.members[parent].parent {
			if depth++; parent == id.Entity || depth == mostPath {
				return fmt.Errorf("%w: above %q", ErrCycle, id.Entity)
			}
		}
	}
	return nil
}

// place is how many stand above an entity, and who is the uppermost.
func (f *family) place(id string) (depth int, root string) {
	root = id
	for parent := f.members[id].parent; parent != ""; parent = f.members[parent].parent {
		depth, root = depth+1, parent
	}
	return depth, root
}

// stays demands that none of those above an entity changes, be it there or not: two changes that would close a circle
// together cannot both be made then.
func (f *family) stays(namespace, id string) (writes []backend.Write) {
	f.lock.Lock()
	defer f.lock.Unlock()
	for parent := f.members[id].parent; parent != ""; parent = f.members[parent].parent {
		m := f.members[parent]
		key, _ := schema.Entity(namespace, parent)
		writes = append(writes, backend.Write{Key: key, Layout: schema.EntityLayout, Conds: []backend.Cond{asRead(schema.EntityVer, m.exists, m.ver)}})
	}
	return writes
}

// exists reports whether an entity has a record now.
func (f *family) exists(id string) bool {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.members[id].exists
}

// changed notes an entity's new version.
func (f *family) changed(id string, ver int64) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.members[id].exists, f.members[id].ver = true, ver
}

// asRead demands that a record's version is what was read, or that there is no record where there was none.
func asRead(version backend.Slot, exists bool, ver int64) backend.Cond {
	if !exists {
		return backend.Cond{Slot: version, Op: backend.Absent}
	}
	return backend.Cond{Slot: version, Op: backend.Equal, A: backend.Int(ver)}
}

// checkOrphans refuses to remove records of entities that would still be some other's parent, by a *ParentError for each.
// Those that are given a child after it has looked do not go: see unadopted.
func (l *Limiter) checkOrphans(ctx context.Context, f *family, changes []SettingChange) error {
	after := map[string]*Setting{}
	for i := range changes {
		if id := changes[i].After.ID; id.Kind == SettingEntity {
			after[id.Entity] = &changes[i].After
		}
	}
	var (
		group errgroup.Group
		lock  sync.Mutex
		found []error
	)
	group.SetLimit(l.lanes())
	for id, s := range after {
		if s.Exists {
			continue
		}
		m := f.members[id]
		group.Go(func() error {
			mark, err := l.readOne(ctx, schema.Adoption(l.opts.Namespace, id))
			if err != nil {
				return err
			}
			m.adopted.CopyFrom(mark)
			child, err := l.orphan(ctx, id, after)
			if child != "" {
				lock.Lock()
				defer lock.Unlock()
				found = append(found, &ParentError{id, child})
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(found...)
}

// orphan is a child that the entity has and keeps, "" for none.
func (l *Limiter) orphan(ctx context.Context, id string, after map[string]*Setting) (string, error) {
	for p := (Page{Size: backend.MaxPage}); ; {
		children, err := l.children(ctx, id, p)
		if err != nil {
			return "", err
		}
		for _, child := range children.Items {
			if s := after[child.ID]; s == nil || s.Exists && s.Record.Parent == id {
				return child.ID, nil
			}
		}
		if p.After = children.Next; p.After == "" {
			return "", nil
		}
	}
}
