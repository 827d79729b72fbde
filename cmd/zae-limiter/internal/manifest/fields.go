package manifest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Field is one difference. Before or After is "" where there is nothing.
type Field struct {
	Name          string // "limits.rpm", "parent", "metadata.plan"
	Before, After string // a limit as in a manifest (100/min:150), the text of another field
}

// fields are the differences between two settings of one id, in the order of a manifest.
func fields(before, after *engine.Setting) (all []Field) {
	was, is := texts(before), texts(after)
	names := slices.Sorted(maps.Keys(was))
	for name := range is {
		if _, known := was[name]; !known {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(rank(a)+a, rank(b)+b)
	})
	for _, name := range names {
		if was[name] != is[name] {
			all = append(all, Field{name, was[name], is[name]})
		}
	}
	return all
}

// rank orders fields by their group.
func rank(name string) string {
	group, _, _ := strings.Cut(name, ".")
	return strconv.Itoa(slices.Index([]string{"on_unavailable", "name", "parent", "cascade", "metadata", "limits"}, group))
}

// texts are a setting's fields that are not empty.
func texts(s *engine.Setting) map[string]string {
	all := map[string]string{"name": s.Record.Name, "parent": s.Record.Parent}
	if s.OnUnavailable != engine.PolicyDefault {
		all["on_unavailable"] = s.OnUnavailable.String()
	}
	if s.Record.Cascade {
		all["cascade"] = "true"
	}
	for key, v := range s.Record.Metadata {
		if v == "" {
			v = `""`
		}
		all["metadata."+key] = v
	}
	for _, l := range s.Limits {
		all["limits."+l.Name] = rateOf(l)
	}
	return all
}

// rateOf is a limit in a manifest, without its name.
func rateOf(l engine.Limit) string {
	_, rate, _ := strings.Cut(l.String(), ":")
	return rate
}

// pathOf is where a setting stands in a manifest.
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
