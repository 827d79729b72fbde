package stacktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// template is a parsed template, which says which resources a stack has. Whether it is right is for cfn-lint and moto.
type template struct {
	body       string
	Parameters map[string]struct {
		Default       any
		AllowedValues []any
	}
	Conditions map[string]any
	Resources  map[string]struct {
		Type, Condition, DeletionPolicy string
		Properties                      map[string]any
	}
	order   []string // the names of the resources as in the template, in which order they are created
	Outputs map[string]struct {
		Condition string
		Value     any
	}
}

// parsed holds the templates that were parsed, by their text: most tests use the same one.
var parsed sync.Map

// parseTemplate reads a template in YAML, or returns CloudFormation's error. Nobody changes what it returns.
func parseTemplate(body string) (*template, *Answer) {
	if t, ok := parsed.Load(body); ok {
		return t.(*template), nil
	}
	t := &template{body: body}
	file, err := parser.ParseBytes([]byte(body), 0)
	if err != nil || len(file.Docs) != 1 {
		return nil, invalid("Template format error: YAML not well-formed.")
	}
	text, err := json.Marshal(plain(file.Docs[0].Body))
	if err != nil || json.Unmarshal(text, t) != nil {
		return nil, invalid("Template format error: unsupported structure.")
	}
	var ordered struct {
		Resources yaml.MapSlice `yaml:"Resources"`
	}
	_ = yaml.NodeToValue(file.Docs[0].Body, &ordered) // it is sound
	for _, item := range ordered.Resources {
		t.order = append(t.order, fmt.Sprint(item.Key))
	}
	parsed.Store(body, t)
	return t, nil
}

// complete returns the parameters of a stack: those given, and the defaults of the others.
func (t *template) complete(given map[string]string) (map[string]string, *Answer) {
	values := map[string]string{}
	for name, of := range t.Parameters {
		values[name] = text(of.Default)
		if value, ok := given[name]; ok {
			values[name] = value
		}
		if of.AllowedValues != nil && !slices.ContainsFunc(of.AllowedValues, func(v any) bool { return text(v) == values[name] }) {
			return nil, invalid("Parameter '%s' must be one of AllowedValues", name)
		}
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			return nil, invalid("Parameters: [%s] do not exist in the template", name)
		}
	}
	return values, nil
}

// plain turns syntax into values. !Sub x is {"Fn::Sub": x}.
func plain(n ast.Node) (value any) {
	switch n := n.(type) {
	case *ast.MappingNode:
		all := map[string]any{}
		for _, pair := range n.Values {
			all[text(plain(pair.Key))] = plain(pair.Value)
		}
		return all
	case *ast.SequenceNode:
		all := []any{}
		for _, item := range n.Values {
			all = append(all, plain(item))
		}
		return all
	case *ast.TagNode:
		name := strings.TrimPrefix(n.Start.Value, "!")
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return map[string]any{name: plain(n.Value)}
	}
	_ = yaml.NodeToValue(n, &value) // a scalar that cannot be read is nil
	return value
}

// mapping returns a value as a mapping, nil if it is none.
func mapping(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// at returns a part of a value, nil if there is none.
func at(v any, names ...string) any {
	for _, name := range names {
		v = mapping(v)[name]
	}
	return v
}

// text returns a scalar as text, "" for nil.
func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
