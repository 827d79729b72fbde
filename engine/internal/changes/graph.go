package changes

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Graph has the entities that are to be changed and all entities above them, each with the parent that it has once
// all changes are made. Safe for concurrent use.
type Graph struct {
	lock  sync.Mutex // guards exists and version of all nodes
	nodes map[string]*parentNode
}

// parentNode is one entity of a Graph, with or without a record.
type parentNode struct {
	parent  string
	exists  bool // it has a record now
	version int64
}

// ReadParents reads what is above the entities that the changes set, one generation after the other. It returns ErrCycle
// if that leads back or too far, and an error of MissingParent for each change whose parent must exist and will not.
func (a *Admin) ReadParents(ctx context.Context, changes []*Change) (*Graph, error) {
	g := &Graph{nodes: map[string]*parentNode{}}
	var parents []string
	for _, c := range changes {
		if id := c.After.ID; id.Kind == KindEntity {
			g.nodes[id.Entity] = &parentNode{c.After.Record.Parent, c.Before.Exists, c.Before.Version}
			parents = append(parents, c.After.Record.Parent)
		}
	}
	for range MostPath - 1 { // a path that is longer is an error, whatever is above
		var unknown []string
		var keys []backend.Key
		for _, id := range parents {
			if id != "" && g.nodes[id] == nil {
				g.nodes[id] = &parentNode{}
				key, _ := schema.Entity(a.Namespace, id)
				unknown, keys = append(unknown, id), append(keys, key)
			}
		}
		out, unreadable, err := a.Store.ReadMany(ctx, keys)
		if err != nil {
			return nil, err
		}
		parents = parents[:0]
		for i, id := range unknown {
			if unreadable[i] != nil {
				return nil, unreadable[i]
			}
			parent, _ := out[i].Text(schema.EntityParent)
			*g.nodes[id] = parentNode{parent, out[i].Present(), out[i].Int64(schema.EntityVer)}
			parents = append(parents, parent)
		}
	}
	if err := g.checkDepth(changes); err != nil {
		return nil, err
	}
	if err := g.checkExistence(changes, a.MissingParent); err != nil {
		return nil, err
	}
	return g, nil
}

// checkDepth returns ErrCycle if the way up from an entity leads back to it, or over more than seven others.
func (g *Graph) checkDepth(changes []*Change) error {
	for _, c := range changes {
		id := c.After.ID
		if id.Kind != KindEntity || !c.After.Exists {
			continue
		}
		path := []string{id.Entity}
		for parent := range g.ancestors(id.Entity) {
			if path = append(path, parent); parent == id.Entity || len(path) > MostPath {
				return fmt.Errorf("%w: from child to parent: %s", ErrCycle, strings.Join(path, ", "))
			}
		}
	}
	return nil
}

// checkExistence returns an error for each parent that must exist and will not when all changes are made.
func (g *Graph) checkExistence(changes []*Change, missingParent func(entity, parent string) error) error {
	exists := map[string]bool{}
	for _, c := range changes {
		if c.After.ID.Kind == KindEntity {
			exists[c.After.ID.Entity] = c.After.Exists
		}
	}
	var missing []error
	for _, c := range changes {
		parent := c.After.Record.Parent
		if !c.RequiresParent || parent == "" {
			continue
		}
		if known, changed := exists[parent]; changed && !known || !changed && !g.nodes[parent].exists {
			missing = append(missing, missingParent(c.After.ID.Entity, parent))
		}
	}
	return errors.Join(missing...)
}

// ancestors are an entity's parent, the parent's parent, and so on.
func (g *Graph) ancestors(id string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for parent := g.nodes[id].parent; parent != "" && yield(parent); parent = g.nodes[parent].parent {
		}
	}
}

// depthAndRoot returns how many entities are above an entity, and the uppermost of them; without any that is itself.
func (g *Graph) depthAndRoot(id string) (depth int, root string) {
	root = id
	for parent := range g.ancestors(id) {
		depth, root = depth+1, parent
	}
	return depth, root
}

// versionChecks demands that no entity above this one changes, whether it exists or not.
func (g *Graph) versionChecks(namespace, id string) (writes []backend.Write) {
	g.lock.Lock()
	defer g.lock.Unlock()
	for parent := range g.ancestors(id) {
		n := g.nodes[parent]
		key, _ := schema.Entity(namespace, parent)
		writes = append(writes, backend.Write{
			Key: key, Layout: schema.EntityLayout, Conds: []backend.Cond{versionIs(schema.EntityVer, n.exists, n.version)},
		})
	}
	return writes
}

// exists reports whether an entity has a record now.
func (g *Graph) exists(id string) bool {
	g.lock.Lock()
	defer g.lock.Unlock()
	return g.nodes[id].exists
}

// changed records an entity's new version.
func (g *Graph) changed(id string, version int64) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.nodes[id].exists, g.nodes[id].version = true, version
}
