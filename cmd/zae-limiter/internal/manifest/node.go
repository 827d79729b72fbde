package manifest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader reads a manifest's nodes and collects what is wrong with them.
type reader struct {
	Problems
	anchors map[string]ast.Node
	merging map[ast.Node]bool // mappings that are being merged in
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

// document is the only document of a file; false where there is none to be read.
func (r *reader) document(text []byte) (value, bool) {
	if !utf8.Valid(text) {
		r.add(Position{1, 1}, "", "is not UTF-8; save it as UTF-8")
		return value{}, false
	}
	parsed, err := parser.ParseBytes([]byte(strings.TrimPrefix(string(text), "\ufeff")), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, what := Position{1, 1}, err.Error()
		if syntax := (*yaml.SyntaxError)(nil); errors.As(err, &syntax) {
			at, what = positionOf(syntax.Token), syntax.Message
		}
		r.add(at, "", "is no YAML: %s; look at the indentation and the quotes there and in the line above", what)
		return value{}, false
	}
	docs := slices.DeleteFunc(parsed.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) == 0 {
		r.add(Position{1, 1}, "", "is empty; write at least: system: {limits: {rpm: 100}}")
		return value{}, false
	}
	for _, more := range docs[1:] {
		r.add(r.at(more.Body), "", "begins a second document; put each into a file of its own")
	}
	ast.Walk(anchorsOf{r}, docs[0].Body)
	return value{docs[0].Body, ""}, true
}

// anchorsOf collects anchors.
type anchorsOf struct{ *reader }

// Visit implements [ast.Visitor].
func (a anchorsOf) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok && anchor.Name != nil {
		name := anchor.Name.GetToken().Value
		if _, twice := a.anchors[name]; twice {
			a.add(a.at(n), "", "anchor &%s stands twice; give one of them another name", name)
		}
		a.anchors[name] = anchor.Value
	}
	return a
}

// resolve is the node that an anchor or an alias stands for. A problem gives nil.
func (r *reader) resolve(v value) ast.Node {
	n := v.node
	if anchor, ok := n.(*ast.AnchorNode); ok {
		n = anchor.Value
	}
	if alias, ok := n.(*ast.AliasNode); ok {
		name := alias.Value.GetToken().Value
		if n = r.anchors[name]; n == nil {
			r.add(r.at(alias), v.path, "there is no anchor &%s; write it where the value stands", name)
			return nil
		}
	}
	if tag, ok := n.(*ast.TagNode); ok {
		r.add(r.at(n), v.path, "tags such as %s are not understood; leave it out", tag.GetToken().Value)
		return nil
	}
	return n
}

// at is where a node begins: a mapping at its first key.
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

// entries are the keys of a mapping, those that it merges in behind its own; null is a mapping without any. ok is false
// where it is something else, which is a problem then. known are the keys that may stand there; nil: all.
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
		r.add(r.at(n), v.path, "must be a mapping %s, and is %s", what, kindOf(n))
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
		e := entry{key: textOf(key), at: positionOf(key.GetToken())}
		e.value = value{each.Value(), join(v.path, e.key)}
		if line, twice := lines[e.key]; twice {
			r.add(e.at, e.path, "stands in line %d, too; leave one of them", line)
			continue
		}
		lines[e.key] = e.at.Line
		if known != nil && !slices.Contains(known, e.key) && !aside(v.path, e.key) {
			r.unknown(&e, known)
			continue
		}
		all = append(all, e)
	}
	return r.merge(all, merged, what, known), true
}

// merge adds what all lacks of other mappings.
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
			n := r.resolve(part)
			if r.merging[n] {
				r.add(r.at(v.node), v.path, "merges itself; write the keys out")
				continue
			}
			r.merging[n] = true
			some, _ := r.entries(part, what, known)
			delete(r.merging, n)
			for _, e := range some {
				if !slices.ContainsFunc(all, func(o entry) bool { return o.key == e.key }) {
					all = append(all, e)
				}
			}
		}
	}
	return all
}

// text reads a string; a problem gives false.
func (r *reader) text(v value) (string, bool) {
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
	cure := ""
	if _, null := n.(*ast.NullNode); null {
		cure = "; leave it out"
	} else if scalar, ok := n.(ast.ScalarNode); ok {
		cure = "; write " + strconv.Quote(textOf(scalar))
	}
	r.add(r.at(n), v.path, "must be text, and is %s%s", kindOf(n), cure)
	return "", false
}

// flag reads true or false.
func (r *reader) flag(v value) (b bool) {
	n := r.resolve(v)
	if n == nil {
		return false
	}
	truth, ok := n.(*ast.BoolNode)
	if !ok {
		r.add(r.at(n), v.path, "must be true or false, and is %s", kindOf(n))
		return false
	}
	return truth.Value
}

func textOf(n ast.Node) string {
	if key, ok := n.(*ast.MappingKeyNode); ok {
		n = key.Value
	}
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// kindOf is what a node is, for people.
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
