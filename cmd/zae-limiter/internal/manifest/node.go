package manifest

import (
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader reads the nodes of a manifest and collects problems.
type reader struct {
	Problems
	anchors map[string]ast.Node
	merging map[ast.Node]bool // mappings that are being merged
	merges  int               // number of mappings that were merged
}

// value is a node, with the path to it.
type value struct {
	node ast.Node
	path string
}

// entry is one key of a mapping, with its value.
type entry struct {
	key string
	at  Position // of the key
	value
}

// resolve returns the node that an anchor or an alias stands for. It adds a problem and returns nil if there is none.
func (r *reader) resolve(v value) ast.Node {
	n := v.node
	if anchor, ok := n.(*ast.AnchorNode); ok {
		n = anchor.Value
	}
	if alias, ok := n.(*ast.AliasNode); ok {
		name := alias.Value.GetToken().Value
		if n = r.anchors[name]; n == nil {
			r.add(r.at(alias), v.path, "unknown anchor &%s: define it at the value", name)
			return nil
		}
	}
	if tag, ok := n.(*ast.TagNode); ok {
		r.add(r.at(n), v.path, "tags such as %s are not supported: remove it", tag.GetToken().Value)
		return nil
	}
	return n
}

// at returns the position of a node; for a mapping, that of its first key.
func (r *reader) at(n ast.Node) Position {
	if m, ok := n.(ast.MapNode); ok {
		if each := m.MapRange(); each.Next() {
			if begin := n.GetToken(); begin == nil || begin.Type != token.MappingStartType {
				return positionOf(each.Key().GetToken())
			}
		}
	}
	return positionOf(n.GetToken())
}

func positionOf(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{1, 1}
	}
	return Position{t.Position.Line, t.Position.Column}
}

// entries returns the keys of a mapping, followed by those of merged mappings; null counts as an empty mapping. It adds a problem
// and returns false for other nodes. known has the valid keys; nil means that all are valid.
func (r *reader) entries(v value, what string, known []string) (all []entry, ok bool) {
	n := r.resolve(v)
	if n == nil {
		return nil, false
	}
	if _, null := n.(*ast.NullNode); null {
		return nil, true
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		r.add(r.at(n), v.path, "must be a mapping %s, not %s", what, kindOf(n))
		return nil, false
	}
	var merged []value
	lines := map[string]int{}
	for each := m.MapRange(); each.Next(); {
		key := each.Key()
		if key.IsMergeKey() {
			merged = append(merged, value{each.Value(), v.path})
			continue
		}
		text, ok := r.readKey(key, v.path)
		if !ok {
			continue
		}
		e := entry{key: text, at: positionOf(key.GetToken())}
		e.value = value{each.Value(), join(v.path, e.key)}
		if line, twice := lines[e.key]; twice {
			r.add(e.at, e.path, "duplicate key, see line %d: remove one of them", line)
			continue
		}
		lines[e.key] = e.at.Line
		if known != nil && !slices.Contains(known, e.key) && !isExtension(v.path, e.key) {
			r.addUnknown(&e, known)
			continue
		}
		all = append(all, e)
	}
	return r.merge(all, merged, what, known), true
}

// readKey reads the text of a key. It adds a problem and returns false if it has none.
func (r *reader) readKey(n ast.Node, path string) (string, bool) {
	if key, ok := n.(*ast.MappingKeyNode); ok {
		n = key.Value
	}
	if n = r.resolve(value{n, path}); n == nil {
		return "", false
	}
	if _, ok := n.(ast.ScalarNode); !ok {
		r.add(r.at(n), path, "a key must be text, not %s", kindOf(n))
		return "", false
	}
	return textOf(n), true
}

// merge adds the keys of merged mappings that all does not have.
func (r *reader) merge(all []entry, merged []value, what string, known []string) []entry {
	for _, v := range merged {
		parts := []value{v}
		if list, ok := r.resolve(v).(*ast.SequenceNode); ok {
			parts = parts[:0]
			for _, n := range list.Values {
				parts = append(parts, value{n, v.path})
			}
		}
		for _, part := range parts {
			if r.merges++; r.merges > maxMerges {
				if r.merges == maxMerges+1 {
					r.add(r.at(v.node), v.path, "merges mappings more than %d times: write the keys instead", maxMerges)
				}
				return all
			}
			n := r.resolve(part)
			if r.merging[n] {
				r.add(r.at(v.node), v.path, "merges itself: write the keys instead")
				continue
			}
			r.merging[n] = true
			others, _ := r.entries(part, what, known)
			delete(r.merging, n)
			for _, e := range others {
				if !slices.ContainsFunc(all, func(o entry) bool { return o.key == e.key }) {
					all = append(all, e)
				}
			}
		}
	}
	return all
}

// readText reads a string. It adds a problem and returns false for other nodes.
func (r *reader) readText(v value) (string, bool) {
	n := r.resolve(v)
	if n == nil {
		return "", false
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	advice := ""
	if _, null := n.(*ast.NullNode); null {
		advice = ": remove it"
	} else if scalar, ok := n.(ast.ScalarNode); ok {
		advice = ": write " + strconv.Quote(textOf(scalar))
	}
	r.add(r.at(n), v.path, "must be text, not %s%s", kindOf(n), advice)
	return "", false
}

// readBool reads true or false.
func (r *reader) readBool(v value) (b bool) {
	n := r.resolve(v)
	if n == nil {
		return false
	}
	truth, ok := n.(*ast.BoolNode)
	if !ok {
		r.add(r.at(n), v.path, "must be true or false, not %s", kindOf(n))
		return false
	}
	return truth.Value
}

func textOf(n ast.Node) string {
	if literal, ok := n.(*ast.LiteralNode); ok {
		return literal.Value.Value
	}
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// kindOf describes a node in messages.
func kindOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.NullNode:
		return "empty"
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return textOf(n)
	case *ast.StringNode:
		return strconv.Quote(n.Value)
	case *ast.LiteralNode:
		return "text"
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	return "something else"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
