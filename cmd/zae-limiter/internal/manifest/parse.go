package manifest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/zeroae/zae-limiter-go/engine"
)

// DefaultName is the name of a manifest that has none.
const DefaultName = "default"

// Manifest is the desired configuration.
type Manifest struct {
	File      string        // for messages
	Name      string        // identifies the settings that the manifest manages
	Namespace string        // empty if the file has none
	Settings  []Declaration // in the order of engine.SettingID.Compare
}

// Declaration is one setting in a manifest.
type Declaration struct {
	engine.Setting
	At       Position // of its key
	ParentAt Position // of an entity's parent
	Path     string   // "entities.user-1.limits"
}

// Parse parses a manifest; file is its name in messages. The error is a [*Problems] with all errors. Parse does not check whether
// the manifest conflicts with the stored configuration: [NewPlan] does.
func Parse(file string, text []byte) (*Manifest, error) {
	r := &reader{Problems: Problems{File: file}, anchors: map[string]ast.Node{}, merging: map[ast.Node]bool{}}
	m := &Manifest{File: file, Name: DefaultName}
	if root, ok := r.document(text); ok {
		r.readRoot(root, m)
		r.checkParents(m)
	}
	slices.SortFunc(m.Settings, func(a, b Declaration) int { return a.ID.Compare(b.ID) })
	return m, r.orNil()
}

func (r *reader) readRoot(root value, m *Manifest) {
	all, _ := r.entries(root, "of manifest, namespace, system, resources, entities", []string{"manifest", "namespace", "system", "resources", "entities"})
	for _, e := range all {
		switch e.key {
		case "manifest":
			if name, ok := r.readText(e.value); ok {
				m.Name = name
				r.addError(engine.CheckManifest(name), r.at(e.node), e.path)
			}
		case "namespace":
			if name, ok := r.readText(e.value); ok {
				m.Namespace = name
				r.addError(engine.CheckNamespace(name), r.at(e.node), e.path)
			}
		case "system":
			r.readSystem(e, m)
		case "resources":
			r.readResources(e, m, engine.SettingResource, "")
		case "entities":
			entities, _ := r.entries(e.value, "of ids", nil)
			for _, entity := range entities {
				r.readEntity(entity, m)
			}
		}
	}
}

func (r *reader) readSystem(e entry, m *Manifest) {
	before := len(r.List)
	all, _ := r.entries(e.value, "of on_unavailable and limits", []string{"on_unavailable", "limits"})
	if len(all) == 0 {
		if len(r.List) == before {
			r.add(e.at, e.path, "is empty: set limits or on_unavailable, or remove it")
		}
		return
	}
	d := Declaration{At: e.at, Path: e.path}
	d.ID.Kind, d.Exists = engine.SettingSystem, true
	for _, part := range all {
		switch part.key {
		case "on_unavailable":
			text, ok := r.readText(part.value)
			if err := d.OnUnavailable.UnmarshalText([]byte(text)); ok && (err != nil || d.OnUnavailable == engine.PolicyDefault) {
				r.add(r.at(part.node), part.path, "%q must be allow, block or local", text)
			}
		case "limits":
			d.Limits = r.readLimits(part.value)
		}
	}
	m.Settings = append(m.Settings, d)
}

// readResources reads the limits of resources, for all entities or for one.
func (r *reader) readResources(e entry, m *Manifest, kind engine.SettingKind, entity string) {
	all, _ := r.entries(e.value, "of resources' names", nil)
	for _, resource := range all {
		d := Declaration{At: resource.at, Path: resource.path}
		d.ID, d.Exists = engine.SettingID{Kind: kind, Entity: entity, Resource: resource.key}, true
		switch {
		case resource.key == "":
			d.ID = engine.SettingID{Kind: engine.SettingResource}
		case resource.key == defaultResource && kind == engine.SettingLimits:
			d.ID.Resource = ""
		}
		r.checkSetting(&engine.Setting{ID: d.ID}, d.At, d.Path)
		before := len(r.List)
		parts, _ := r.entries(resource.value, "with limits", []string{"limits"})
		if len(parts) == 0 && len(r.List) == before {
			r.add(resource.at, resource.path, "has no limits: add some, or remove it")
		}
		for _, part := range parts {
			d.Limits = r.readLimits(part.value)
			m.Settings = append(m.Settings, d)
		}
	}
}

// readEntity reads an entity: its limits, and its record, if it has properties or is empty.
func (r *reader) readEntity(e entry, m *Manifest) {
	before := len(r.List)
	all, ok := r.entries(e.value, "of name, parent, cascade, metadata, limits, resources",
		[]string{"name", "parent", "cascade", "metadata", "limits", "resources"})
	record := Declaration{At: e.at, ParentAt: e.at, Path: e.path}
	record.ID, record.Exists = engine.SettingID{Kind: engine.SettingEntity, Entity: e.key}, true
	recorded := ok && len(all) == 0 && len(r.List) == before
	r.checkSetting(&engine.Setting{ID: record.ID}, e.at, e.path)
	first := len(m.Settings)
	for _, part := range all {
		switch part.key {
		case "limits":
			d := Declaration{At: part.at, Path: part.path}
			d.ID, d.Exists = engine.SettingID{Kind: engine.SettingLimits, Entity: e.key}, true
			d.Limits = r.readLimits(part.value)
			m.Settings = append(m.Settings, d)
		case "resources":
			r.readResources(part, m, engine.SettingLimits, e.key)
		default:
			recorded = true
			r.readAttribute(part, &record)
		}
	}
	r.checkDuplicateDefault(m, first)
	if recorded {
		m.Settings = append(m.Settings, record)
	}
}

// readAttribute reads a property of an entity's record.
func (r *reader) readAttribute(part entry, d *Declaration) {
	alone := engine.Setting{ID: engine.SettingID{Kind: engine.SettingEntity, Entity: "x"}, Exists: true}
	ok := true
	switch part.key {
	case "name":
		d.Record.Name, ok = r.readText(part.value)
		alone.Record.Name = d.Record.Name
	case "parent":
		d.Record.Parent, ok = r.readText(part.value)
		d.ParentAt = r.at(part.node)
		if d.Record.Parent != "" {
			alone = engine.Setting{ID: engine.SettingID{Kind: engine.SettingEntity, Entity: d.Record.Parent}}
		}
	case "cascade":
		d.Record.Cascade = r.readBool(part.value)
	case "metadata":
		before := len(r.List)
		d.Record.Metadata = r.readMetadata(part)
		ok = len(r.List) == before
		alone.Record.Metadata = d.Record.Metadata
	}
	if ok {
		r.checkSetting(&alone, r.at(part.node), part.path)
	}
}

func (r *reader) readMetadata(e entry) map[string]string {
	all, _ := r.entries(e.value, "of text", nil)
	if len(all) == 0 {
		return nil
	}
	m := make(map[string]string, len(all))
	for _, pair := range all {
		m[pair.key], _ = r.readText(pair.value)
	}
	return m
}

// suggestion returns the known key that is similar to key, or all known keys.
func suggestion(key string, known []string) string {
	best := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(key, a), distance(key, b)) })
	if distance(key, best) <= 2 {
		return "did you mean " + best + "?"
	}
	last := len(known) - 1
	return "must be one of " + strings.TrimPrefix(strings.Join(known[:last], ", ")+" and "+known[last], " and ")
}

// distance returns the Levenshtein distance of two texts.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
