package manifest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// maxPath is the maximum number of entities in a path of parents, including the first one.
const maxPath = 8

// checkParents adds problems for cycles and long paths among the parents in the manifest.
func (r *reader) checkParents(m *Manifest) {
	records := m.records()
	r.checkPaths(records, func(id string) string {
		if d := records[id]; d != nil {
			return d.Record.Parent
		}
		return ""
	})
}

// records returns the entities' records in the manifest, by id.
func (m *Manifest) records() map[string]*Declaration {
	records := map[string]*Declaration{}
	for i := range m.Settings {
		if d := &m.Settings[i]; d.ID.Kind == engine.SettingEntity {
			records[d.ID.Entity] = d
		}
	}
	return records
}

// checkPaths adds problems for cycles and long paths above entities; parentOf returns the parent of any entity.
func (p *Problems) checkPaths(records map[string]*Declaration, parentOf func(string) string) {
	inFile := slices.SortedFunc(maps.Values(records), func(a, b *Declaration) int { return compare(a.ParentAt, b.ParentAt) })
	reported := map[string]bool{} // members of cycles that were reported
	for _, d := range inFile {
		id := d.ID.Entity
		if reported[id] {
			continue
		}
		path, cycle := []string{id}, -1
		for parent := parentOf(id); parent != "" && cycle < 0; parent = parentOf(parent) {
			cycle = slices.Index(path, parent)
			path = append(path, parent)
		}
		switch {
		case cycle == 0:
			p.add(d.ParentAt, d.Path+".parent", "the parents form a cycle, %s: change or remove one of them", strings.Join(path, " - "))
			for _, member := range path {
				reported[member] = true
			}
		case cycle < 0 && len(path) == maxPath+1: // entities below it have longer paths, which are not reported
			p.add(d.ParentAt, d.Path+".parent", "the path of parents has more than %d entities, %s: remove one", maxPath, strings.Join(path, " - "))
		}
	}
}

func compare(a, b Position) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}
