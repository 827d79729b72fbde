package manifest

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Field is a difference between two settings. Before or After is empty if the field is not set.
type Field struct {
	Name          string // "limits.rpm", "parent", "metadata.plan"
	Before, After string // a limit in the syntax of a manifest (100/min:150), or a text
}

// fields returns the differences between two settings with the same id, in the order of a manifest.
func fields(before, after *engine.Setting) (all []Field) {
	old, current := fieldTexts(before), fieldTexts(after)
	names := slices.Sorted(maps.Keys(old))
	for name := range current {
		if _, known := old[name]; !known {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(rank(a)+a, rank(b)+b)
	})
	for _, name := range names {
		if old[name] != current[name] {
			all = append(all, Field{name, old[name], current[name]})
		}
	}
	return all
}

// rank returns a sort key for the group of a field.
func rank(name string) string {
	group, _, _ := strings.Cut(name, ".")
	return strconv.Itoa(slices.Index([]string{"on_unavailable", "name", "parent", "cascade", "metadata", "limits"}, group))
}

// fieldTexts returns the fields of a setting that are not empty.
func fieldTexts(s *engine.Setting) map[string]string {
	all := map[string]string{"name": s.Record.Name, "parent": s.Record.Parent}
	if s.OnUnavailable != engine.PolicyDefault {
		all["on_unavailable"] = s.OnUnavailable.String()
	}
	if s.Record.Cascade {
		all["cascade"] = "true"
	}
	for key, v := range s.Record.Metadata {
		all["metadata."+key] = cmp.Or(v, `""`)
	}
	for _, l := range s.Limits {
		all["limits."+l.Name] = rateOf(l)
	}
	return all
}

// rateOf returns a limit in the syntax of a manifest, without its name.
func rateOf(l engine.Limit) string {
	_, rate, _ := strings.Cut(l.String(), ":")
	return rate
}

// pathOf returns the path of a setting in a manifest.
func pathOf(id engine.SettingID) string {
	switch id.Kind {
	case engine.SettingSystem:
		return "system"
	case engine.SettingResource:
		return "resources." + id.Resource
	case engine.SettingEntity:
		return "entities." + id.Entity
	}
	if id.Resource == "" {
		return "entities." + id.Entity + ".limits"
	}
	return "entities." + id.Entity + ".resources." + id.Resource
}
