package stacktest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Place is where a template is rendered. The zero Place is that of [Account], in the partition aws.
type Place struct {
	Partition string // default aws
	Region    string // default [Region]
	URLSuffix string // default amazonaws.com
}

// China is a place in another partition, with another suffix of URLs.
var China = Place{"aws-cn", "cn-north-1", "amazonaws.com.cn"}

func (p Place) withDefaults() Place {
	if p.Partition == "" {
		p.Partition = "aws"
	}
	if p.Region == "" {
		p.Region = Region
	}
	if p.URLSuffix == "" {
		p.URLSuffix = "amazonaws.com"
	}
	return p
}

// move takes what has an ARN or a URL of the default place to another.
func (p Place) move(text string) string {
	text = strings.Replace(text, "arn:aws:", "arn:"+p.Partition+":", 1)
	text = strings.Replace(text, "."+Region+".amazonaws.com/", "."+p.Region+"."+p.URLSuffix+"/", 1)
	return strings.Replace(text, ":"+Region+":", ":"+p.Region+":", 1)
}

// Rendered is a resource of a template whose expressions are resolved.
type Rendered struct {
	Type, ID, ARN string
	Properties    map[string]any // as JSON has them
}

// Render resolves a template for a stack of a name: parameters that are not given have their defaults. Resources whose
// condition does not hold are missing. Nothing is created.
func Render(t testing.TB, body, stackName string, parameters map[string]string, at Place) map[string]Rendered {
	t.Helper()
	parsed, err := parseTemplate(body)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, p := range parsed.parameters {
		value, given := parameters[p.name]
		if !given && p.fallback == nil {
			t.Fatalf("parameter %s has no value", p.name)
		}
		if !given {
			value = *p.fallback
		}
		values[p.name] = value
	}
	at = at.withDefaults()
	s := &scope{t: parsed, stack: stackName, stackID: "id", parameters: values, resources: map[string]*resource{}, place: at}
	all := map[string]Rendered{}
	for _, d := range parsed.resources {
		if !s.holds(d.condition) {
			continue
		}
		properties, _ := s.resolve(d.properties).(map[string]any)
		id := at.move(physicalOf(s, d, properties))
		s.resources[d.logical] = &resource{declared: d, physical: id}
		all[d.logical] = Rendered{Type: d.kind, ID: id, ARN: at.move(arnOf(d.kind, id)), Properties: inJSON(t, properties)}
	}
	return all
}

func inJSON(t testing.TB, properties map[string]any) (plain map[string]any) {
	t.Helper()
	text, err := json.Marshal(properties)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
