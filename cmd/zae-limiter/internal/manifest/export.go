package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
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

// JSON returns the manifest as JSON with sorted keys, which [Parse] accepts.
func (m *Manifest) JSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(m.document())
	return text.Bytes(), err
}

// YAML returns the manifest as YAML with sorted keys, after a comment of these lines. Parsing it returns the same manifest.
func (m *Manifest) YAML(comment ...string) []byte {
	content, _ := m.JSON() // cannot fail: maps, texts and booleans
	w := yamlWriter{decoder: json.NewDecoder(bytes.NewReader(content))}
	for _, line := range comment {
		w.WriteString("# " + line + "\n")
	}
	_, _ = w.decoder.Token() // the opening brace
	w.members("")
	return w.Bytes()
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
	f := &document{
		Manifest: m.Name, Namespace: cmp.Or(m.Namespace, engine.DefaultNamespace),
		Resources: map[string]limitsPart{}, Entities: map[string]*entityPart{},
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

// yamlWriter writes a valid JSON document of objects, texts and booleans as YAML. An empty line separates the parts of a manifest.
type yamlWriter struct {
	bytes.Buffer
	decoder *json.Decoder
}

// members writes the members of the object whose opening brace was read.
func (w *yamlWriter) members(indent string) {
	for w.decoder.More() {
		key, _ := w.decoder.Token()
		value, _ := w.decoder.Token()
		name := indent + yamlText(fmt.Sprint(key)) + ":"
		if text, isText := value.(string); isText {
			w.WriteString(name + " " + yamlText(text) + "\n")
			continue
		}
		if value != json.Delim('{') {
			fmt.Fprintln(w, name, value)
			continue
		}
		if indent == "" {
			w.WriteString("\n")
		}
		if !w.decoder.More() {
			name += " {}"
		}
		w.WriteString(name + "\n")
		w.members(indent + "  ")
	}
	_, _ = w.decoder.Token() // the closing brace
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
