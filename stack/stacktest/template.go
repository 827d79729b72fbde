package stacktest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// template is a parsed template, in YAML or JSON.
type template struct {
	body       string
	text       string // its description
	parameters []parameter
	conditions map[string]any
	mappings   object
	resources  []declared // each behind those that it refers to
	outputs    object
}

// parameter is one of a template.
type parameter struct {
	name, kind, text string
	fallback         *string
	allowed          []string
}

// declared is a resource of a template.
type declared struct {
	logical, kind, condition string
	deletion                 string // its DeletionPolicy
	properties               any
	dependsOn                []string
}

// object is a mapping that remembers its order.
type object struct {
	keys   []string
	values map[string]any
}

func (o object) at(key string) any { return o.values[key] }

func (o object) text(key string) string {
	if v, ok := o.values[key]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

func (o object) object(key string) object {
	inner, _ := o.values[key].(object)
	return inner
}

// parseTemplate reads a template, or says what CloudFormation would.
func parseTemplate(body string) (*template, error) {
	file, err := parser.ParseBytes([]byte(body), 0)
	if err != nil || len(file.Docs) != 1 {
		return nil, invalid("Template format error: YAML not well-formed.")
	}
	root, ok := plain(file.Docs[0].Body).(object)
	if !ok || len(root.object("Resources").keys) == 0 {
		return nil, invalid("Template format error: At least one Resources member must be defined.")
	}
	t := &template{
		body: body, text: root.text("Description"), conditions: root.object("Conditions").values,
		mappings: root.object("Mappings"), outputs: root.object("Outputs"),
	}
	parameters := root.object("Parameters")
	for _, name := range parameters.keys {
		p := parameters.object(name)
		declared := parameter{name: name, kind: p.text("Type"), text: p.text("Description"), allowed: texts(p.at("AllowedValues"))}
		if fallback, ok := p.values["Default"]; ok {
			text := fmt.Sprint(fallback)
			declared.fallback = &text
		}
		t.parameters = append(t.parameters, declared)
	}
	err = t.order(root.object("Resources"))
	return t, err
}

// order reads the resources, each behind those that it needs.
func (t *template) order(resources object) error {
	placed := map[string]bool{}
	var place func(logical string, above []string) error
	place = func(logical string, above []string) error {
		if slices.Contains(above, logical) {
			return invalid("Circular dependency between resources: [%s]", strings.Join(above, ", "))
		}
		if placed[logical] {
			return nil
		}
		r := resources.object(logical)
		d := declared{
			logical: logical, kind: r.text("Type"), condition: r.text("Condition"), deletion: r.text("DeletionPolicy"),
			properties: r.at("Properties"), dependsOn: texts(r.at("DependsOn")),
		}
		needs := append(slices.Clone(d.dependsOn), references(d.properties, resources)...)
		for _, need := range needs {
			if _, ok := resources.values[need]; !ok {
				return invalid("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", need)
			}
			if err := place(need, append(above, logical)); err != nil {
				return err
			}
		}
		placed[logical] = true
		t.resources = append(t.resources, d)
		return nil
	}
	for _, logical := range resources.keys {
		if err := place(logical, nil); err != nil {
			return err
		}
	}
	return nil
}

// references are the resources that a value speaks of.
func references(v any, resources object) (logical []string) {
	note := func(name string) {
		name, _, _ = strings.Cut(name, ".")
		if _, ok := resources.values[name]; ok {
			logical = append(logical, name)
		}
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			logical = append(logical, references(item, resources)...)
		}
	case object:
		for _, key := range v.keys {
			inner := v.values[key]
			switch key {
			case "Ref", "Fn::GetAtt":
				if names := texts(inner); len(names) > 0 {
					note(names[0])
				}
			case "Fn::Sub":
				if names := texts(inner); len(names) > 0 {
					for _, name := range substituted(names[0]) {
						note(name)
					}
				}
				logical = append(logical, references(inner, resources)...)
			default:
				logical = append(logical, references(inner, resources)...)
			}
		}
	}
	return logical
}

// capability is what somebody who deploys the template has to acknowledge, "" for nothing.
func (t *template) capability() string {
	need := ""
	for _, r := range t.resources {
		if !strings.HasPrefix(r.kind, "AWS::IAM::") {
			continue
		}
		properties, _ := r.properties.(object)
		for _, name := range []string{"RoleName", "ManagedPolicyName", "PolicyName", "UserName"} {
			if properties.at(name) != nil {
				return "CAPABILITY_NAMED_IAM"
			}
		}
		need = "CAPABILITY_IAM"
	}
	return need
}

// plain makes values of syntax: object, []any, string, bool, numbers, nil. !Sub x is {"Fn::Sub": x}.
func plain(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode:
		o := object{values: map[string]any{}}
		for _, pair := range n.Values {
			o.put(pair)
		}
		return o
	case *ast.MappingValueNode:
		o := object{values: map[string]any{}}
		o.put(n)
		return o
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, item := range n.Values {
			list[i] = plain(item)
		}
		return list
	case *ast.TagNode:
		name := strings.TrimPrefix(n.Start.Value, "!")
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return object{[]string{name}, map[string]any{name: plain(n.Value)}}
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.StringNode:
		return n.Value
	case ast.ScalarNode:
		return n.GetValue()
	}
	return nil
}

func (o *object) put(pair *ast.MappingValueNode) {
	key := fmt.Sprint(plain(pair.Key))
	o.keys = append(o.keys, key)
	o.values[key] = plain(pair.Value)
}

// texts is a list of strings, also where there is only one of them.
func texts(v any) []string {
	switch v := v.(type) {
	case nil, object:
		return nil
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, fmt.Sprint(item))
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}
