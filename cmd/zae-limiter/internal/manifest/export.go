package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/zeroae/zae-limiter-go/engine"
)

// document is the structure of a manifest file.
type document struct {
	Manifest  string                 `json:"manifest"`
	Namespace string                 `json:"namespace"`
	System    *systemPart            `json:"system,omitempty"`
	Resources map[string]limitsPart  `json:"resources,omitempty"`
	Entities  map[string]*entityPart `json:"entities,omitempty"`
}

type systemPart struct {
	OnUnavailable string            `json:"on_unavailable,omitempty"`
	Limits        map[string]string `json:"limits,omitempty"`
}

type limitsPart struct {
	Limits map[string]string `json:"limits"`
}

type entityPart struct {
	Name      string                `json:"name,omitempty"`
	Parent    string                `json:"parent,omitempty"`
	Cascade   *bool                 `json:"cascade,omitempty"`
	Metadata  map[string]string     `json:"metadata,omitempty"`
	Limits    map[string]string     `json:"limits,omitempty"`
	Resources map[string]limitsPart `json:"resources,omitempty"`
}

// YAML returns the manifest as YAML with sorted keys, after a comment of these lines. Parsing it returns the same manifest.
func (m *Manifest) YAML(comment ...string) []byte {
	var w writer
	for _, line := range comment {
		w.text.WriteString("# " + line + "\n")
	}
	f := m.document()
	w.scalar("manifest", f.Manifest)
	w.scalar("namespace", f.Namespace)
	if f.System != nil {
		w.text.WriteString("\n")
		w.section("system", func() {
			w.optional("on_unavailable", f.System.OnUnavailable)
			w.scalars("limits", f.System.Limits)
		})
	}
	if len(f.Resources) > 0 {
		w.text.WriteString("\n")
		w.resources(f.Resources)
	}
	if len(f.Entities) > 0 {
		w.text.WriteString("\n")
		w.section("entities", func() {
			for _, id := range slices.Sorted(maps.Keys(f.Entities)) {
				w.section(yamlText(id), func() { w.entity(f.Entities[id]) })
			}
		})
	}
	return w.text.Bytes()
}

// JSON returns the manifest as JSON, which [Parse] accepts too.
func (m *Manifest) JSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(m.document())
	return text.Bytes(), err
}

// Of returns a manifest that declares the given settings.
func Of(name, namespace string, settings []engine.Setting) *Manifest {
	m := &Manifest{Name: name, Namespace: namespace}
	for _, s := range settings {
		m.Settings = append(m.Settings, Declaration{Setting: s})
	}
	return m
}

func (m *Manifest) document() *document {
	f := &document{Manifest: m.Name, Namespace: m.Namespace, Resources: map[string]limitsPart{}, Entities: map[string]*entityPart{}}
	if f.Namespace == "" {
		f.Namespace = engine.DefaultNamespace
	}
	at := func(id string) *entityPart {
		if f.Entities[id] == nil {
			f.Entities[id] = &entityPart{Resources: map[string]limitsPart{}}
		}
		return f.Entities[id]
	}
	for i := range m.Settings {
		s := &m.Settings[i].Setting
		switch id := s.ID; {
		case id.Kind == engine.SettingSystem:
			f.System = &systemPart{Limits: rates(s.Limits)}
			if s.OnUnavailable != engine.PolicyDefault {
				f.System.OnUnavailable = s.OnUnavailable.String()
			}
		case id.Kind == engine.SettingResource:
			f.Resources[id.Resource] = limitsPart{rates(s.Limits)}
		case id.Kind == engine.SettingEntity:
			e := at(id.Entity)
			e.Name, e.Parent, e.Cascade, e.Metadata = s.Record.Name, s.Record.Parent, &s.Record.Cascade, s.Record.Metadata
		case id.Resource == "":
			at(id.Entity).Limits = rates(s.Limits)
		default:
			at(id.Entity).Resources[id.Resource] = limitsPart{rates(s.Limits)}
		}
	}
	for _, e := range f.Entities {
		e.omitDefaultCascade()
	}
	return f
}

// omitDefaultCascade omits cascade: false, unless it is the only sign that the entity has a record.
func (e *entityPart) omitDefaultCascade() {
	visible := e.Name != "" || e.Parent != "" || len(e.Metadata) > 0 || len(e.Limits) == 0 && len(e.Resources) == 0
	if e.Cascade != nil && !*e.Cascade && visible {
		e.Cascade = nil
	}
}

func rates(limits []engine.Limit) map[string]string {
	all := make(map[string]string, len(limits))
	for _, l := range limits {
		all[l.Name] = rateOf(l)
	}
	return all
}

// writer writes YAML with sorted keys.
type writer struct {
	text   bytes.Buffer
	indent string
}

// section writes a key and its content, {} if there is none.
func (w *writer) section(key string, rest func()) {
	w.text.WriteString(w.indent + key + ":")
	mark := w.text.Len()
	w.text.WriteString("\n")
	w.indent += "  "
	rest()
	w.indent = w.indent[2:]
	if w.text.Len() == mark+1 {
		w.text.Truncate(mark)
		w.text.WriteString(" {}\n")
	}
}

func (w *writer) scalar(key, v string) {
	fmt.Fprintf(&w.text, "%s%s: %s\n", w.indent, yamlText(key), yamlText(v))
}

func (w *writer) optional(key, v string) {
	if v != "" {
		w.scalar(key, v)
	}
}

func (w *writer) scalars(key string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.section(key, func() {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			w.scalar(name, m[name])
		}
	})
}

func (w *writer) resources(all map[string]limitsPart) {
	if len(all) == 0 {
		return
	}
	w.section("resources", func() {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			w.section(yamlText(name), func() { w.scalars("limits", all[name].Limits) })
		}
	})
}

func (w *writer) entity(e *entityPart) {
	w.optional("name", e.Name)
	w.optional("parent", e.Parent)
	if e.Cascade != nil {
		fmt.Fprintf(&w.text, "%scascade: %t\n", w.indent, *e.Cascade)
	}
	w.scalars("metadata", e.Metadata)
	w.scalars("limits", e.Limits)
	w.resources(e.Resources)
}

var (
	harmless = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.@/:-]*$`)
	letters  = regexp.MustCompile(`[a-zA-Z]`)
	special  = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
	number   = regexp.MustCompile(`^(0[xXoObB])?[0-9a-fA-F_.]+([eE][0-9]+)?$`)
)

// yamlText returns a text as YAML, without quotes if every parser reads it as text.
func yamlText(s string) string {
	if harmless.MatchString(s) && letters.MatchString(s) && !number.MatchString(s) && !slices.Contains(special, strings.ToLower(s)) &&
		!strings.HasSuffix(s, ":") {
		return s
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // cannot fail for a string
	var out strings.Builder
	for _, r := range strings.TrimSuffix(text.String(), "\n") {
		switch { // JSON does not escape all invisible characters
		case unicode.IsGraphic(r):
			out.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&out, "\\U%08x", r)
		default:
			fmt.Fprintf(&out, "\\u%04x", r)
		}
	}
	return out.String()
}
