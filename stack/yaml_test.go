package stack

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// object is a mapping in a template; !Ref x becomes {"Ref": "x"}, !If [a, b] becomes {"If": [a, b]}.
type object = map[string]any

// parse parses a template.
func parse(t *testing.T, text string) object {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return plainOf(file.Docs[0].Body).(object)
}

func plainOf(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode:
		o := object{}
		for _, v := range n.Values {
			o[v.Key.String()] = plainOf(v.Value)
			if key := strings.Trim(v.Key.String(), `"'`); key != v.Key.String() {
				o[key] = o[v.Key.String()]
				delete(o, v.Key.String())
			}
		}
		return o
	case *ast.MappingValueNode:
		return object{strings.Trim(n.Key.String(), `"'`): plainOf(n.Value)}
	case *ast.SequenceNode:
		list := []any{}
		for _, v := range n.Values {
			list = append(list, plainOf(v))
		}
		return list
	case *ast.TagNode:
		return object{strings.TrimPrefix(n.Start.Value, "!"): plainOf(n.Value)}
	case *ast.StringNode:
		return n.Value
	case ast.ScalarNode:
		return n.GetValue()
	}
	return nil
}

func resourcesOf(t *testing.T, text string) object { return parse(t, text)["Resources"].(object) }

// at returns the value at a path of keys.
func at(o any, keys ...string) any {
	for _, key := range keys {
		m, _ := o.(object)
		o = m[key]
	}
	return o
}

// texts returns the elements of a text or a list of texts.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	case object: // a reference
		for name, of := range v {
			for _, text := range texts(of) {
				all = append(all, name+" "+text)
			}
		}
	}
	return all
}
