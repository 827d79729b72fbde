package stacktest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// template is a parsed template. cfn-lint and moto judge whether it is right; here it only has to say which resources a
// stack has, in which order, and with which properties.
type template struct {
	body, description string
	parameters        map[string]parameter
	conditions        map[string]any
	resources         []declared // in the order of the template, in which they are created
	outputs           map[string]any
}

// parameter is one of a template.
type parameter struct {
	initial *string // its Default
	allowed []string
}

// declared is a resource of a template.
type declared struct {
	logical, kind, condition string
	deletion                 string // its DeletionPolicy
	properties               map[string]any
}

// parsed holds the templates that were parsed, by their text: most tests use the same one.
var parsed sync.Map

// parseTemplate reads a template in YAML, or returns CloudFormation's error. Nobody changes what it returns.
func parseTemplate(body string) (*template, error) {
	if t, ok := parsed.Load(body); ok {
		return t.(*template), nil
	}
	file, err := parser.ParseBytes([]byte(body), 0)
	if err != nil || len(file.Docs) != 1 {
		return nil, invalid("Template format error: YAML not well-formed.")
	}
	root, _ := plain(file.Docs[0].Body).(map[string]any)
	resources := mapping(root["Resources"])
	if len(resources) == 0 {
		return nil, invalid("Template format error: At least one Resources member must be defined.")
	}
	t := &template{
		body: body, description: text(root["Description"]), conditions: mapping(root["Conditions"]), outputs: mapping(root["Outputs"]),
		parameters: map[string]parameter{},
	}
	for name, of := range mapping(root["Parameters"]) {
		p, of := parameter{}, mapping(of)
		if initial, ok := of["Default"]; ok {
			value := text(initial)
			p.initial = &value
		}
		allowed, _ := of["AllowedValues"].([]any)
		for _, value := range allowed {
			p.allowed = append(p.allowed, text(value))
		}
		t.parameters[name] = p
	}
	for _, logical := range keys(file.Docs[0].Body, "Resources") {
		r := mapping(resources[logical])
		t.resources = append(t.resources, declared{logical, text(r["Type"]), text(r["Condition"]), text(r["DeletionPolicy"]), mapping(r["Properties"])})
	}
	parsed.Store(body, t)
	return t, nil
}

// values returns the parameters of a stack: those given, and the initial values of the others.
func (t *template) values(given map[string]string) (map[string]string, error) {
	values := map[string]string{}
	var missing, unknown []string
	for name, p := range t.parameters {
		value, ok := given[name]
		switch {
		case !ok && p.initial == nil:
			missing = append(missing, name)
		case !ok:
			value = *p.initial
		}
		if len(p.allowed) > 0 && !slices.Contains(p.allowed, value) {
			return nil, invalid("Parameter '%s' must be one of AllowedValues", name)
		}
		values[name] = value
	}
	for name := range given {
		if _, ok := t.parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	switch {
	case len(unknown) > 0:
		return nil, invalid("Parameters: [%s] do not exist in the template", sortedList(unknown))
	case len(missing) > 0:
		return nil, invalid("Parameters: [%s] must have values", sortedList(missing))
	}
	return values, nil
}

// plain turns syntax into values: map[string]any, []any, string, bool, numbers, nil. !Sub x is {"Fn::Sub": x}.
func plain(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode:
		all := map[string]any{}
		for _, pair := range n.Values {
			all[text(plain(pair.Key))] = plain(pair.Value)
		}
		return all
	case *ast.MappingValueNode:
		return map[string]any{text(plain(n.Key)): plain(n.Value)}
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
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.StringNode:
		return n.Value
	case ast.ScalarNode:
		return n.GetValue()
	}
	return nil
}

// keys returns the keys of one of a document's mappings, in their order.
func keys(n ast.Node, of string) (all []string) {
	pairs := func(n ast.Node) []*ast.MappingValueNode {
		switch n := n.(type) {
		case *ast.MappingNode:
			return n.Values
		case *ast.MappingValueNode:
			return []*ast.MappingValueNode{n}
		}
		return nil
	}
	for _, section := range pairs(n) {
		if text(plain(section.Key)) != of {
			continue
		}
		for _, pair := range pairs(section.Value) {
			all = append(all, text(plain(pair.Key)))
		}
	}
	return all
}

func mapping(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// text returns a scalar as text, "" for nil.
func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
