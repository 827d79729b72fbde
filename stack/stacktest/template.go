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
	body, description               string
	parameters, conditions, outputs map[string]any
	resources                       []declared // in the order of the template, in which they are created
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
	t := &template{body: body}
	for _, section := range pairs(file.Docs[0].Body) {
		switch value := plain(section.Value); text(plain(section.Key)) {
		case "Description":
			t.description = text(value)
		case "Parameters":
			t.parameters = mapping(value)
		case "Conditions":
			t.conditions = mapping(value)
		case "Outputs":
			t.outputs = mapping(value)
		case "Resources":
			for _, pair := range pairs(section.Value) {
				logical := text(plain(pair.Key))
				r := mapping(mapping(value)[logical])
				t.resources = append(t.resources, declared{logical, text(r["Type"]), text(r["Condition"]), text(r["DeletionPolicy"]), mapping(r["Properties"])})
			}
		}
	}
	parsed.Store(body, t)
	return t, nil
}

// complete returns the parameters of a stack: those given, and the defaults of the others.
func (t *template) complete(given map[string]string) (map[string]string, error) {
	for name := range given {
		if t.parameters[name] == nil {
			return nil, invalid("Parameters: [%s] do not exist in the template", name)
		}
	}
	values := map[string]string{}
	for name, of := range t.parameters {
		value, ok := given[name]
		if !ok {
			value = text(mapping(of)["Default"])
		}
		allowed, limited := mapping(of)["AllowedValues"].([]any)
		if limited && !slices.ContainsFunc(allowed, func(v any) bool { return text(v) == value }) {
			return nil, invalid("Parameter '%s' must be one of AllowedValues", name)
		}
		values[name] = value
	}
	return values, nil
}

// plain turns syntax into values, as encoding/json decodes them. !Sub x is {"Fn::Sub": x}.
func plain(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		all := map[string]any{}
		for _, pair := range pairs(n) {
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
	case *ast.LiteralNode:
		return n.Value.Value
	case ast.ScalarNode:
		switch v := n.GetValue().(type) {
		case uint64:
			return float64(v)
		case int64:
			return float64(v)
		default:
			return v
		}
	}
	return nil
}

// pairs returns the entries of a mapping, in their order.
func pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
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
