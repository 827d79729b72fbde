package manifest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// mostPath is how many entities a path of parents may have, the first of them among them.
const mostPath = 8

// families looks for circles and long paths among the parents that the manifest gives.
func (r *reader) families(m *Manifest) {
	records := m.records()
	r.paths(records, func(id string) string {
		if d := records[id]; d != nil {
			return d.Record.Parent
		}
		return ""
	})
}

// records are the entities' records that the manifest gives, by id.
func (m *Manifest) records() map[string]*Declaration {
	records := map[string]*Declaration{}
	for i := range m.Settings {
		if d := &m.Settings[i]; d.ID.Kind == engine.SettingEntity {
			records[d.ID.Entity] = d
		}
	}
	return records
}

// paths looks for circles and long paths above entities, by the parents of all.
func (p *Problems) paths(records map[string]*Declaration, parentOf func(string) string) {
	inFile := slices.SortedFunc(maps.Values(records), func(a, b *Declaration) int { return compare(a.ParentAt, b.ParentAt) })
	told := map[string]bool{} // in a circle that is told
	for _, d := range inFile {
		id := d.ID.Entity
		if told[id] {
			continue
		}
		path, circle := []string{id}, -1
		for parent := parentOf(id); parent != "" && circle < 0; parent = parentOf(parent) {
			circle = slices.Index(path, parent)
			path = append(path, parent)
		}
		switch {
		case circle == 0:
			p.add(d.ParentAt, d.Path+".parent", "closes a circle, %s; give one of them another parent, or none", strings.Join(path, " - "))
			for _, member := range path {
				told[member] = true
			}
		case circle < 0 && len(path) == mostPath+1: // what stands below it is no news
			p.add(d.ParentAt, d.Path+".parent", "makes a path of more than %d entities, %s; take one out", mostPath, strings.Join(path, " - "))
		}
	}
}

func compare(a, b Position) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}
