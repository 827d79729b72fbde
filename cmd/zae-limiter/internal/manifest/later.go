package manifest

import "strings"

// unsupported has the keys of the Python library's manifests that are not supported yet, with the alternative for each.
var unsupported = map[string]string{
	"schedule":            "remove it, and apply a different manifest at each time, for example with cron",
	"reset_schedule":      "remove it, and reset buckets with cron: zae-limiter reset ENTITY RESOURCE",
	"reset_after_seconds": "remove it, since refill_amount tokens are refilled continuously in each refill_period",
	"soft":                "remove it, since a limit always denies when it is exhausted; to see the usage: zae-limiter usage summary",
	"cascade":             "remove it here, and set cascade next to the entity's parent, for all resources",
	"disabled":            "remove it, and set a limit that a single request exhausts, such as rpm: 1/3650day",
	"bypass":              "remove it, and set a limit that nobody reaches, such as rpm: 1000000000000000",
}

// addUnknown adds a problem for a key that is not known at its position.
func (r *reader) addUnknown(e *entry, known []string) {
	if instead, found := unsupported[e.key]; found {
		r.add(e.at, e.path, "%s is not supported yet: %s", e.key, instead)
		return
	}
	r.add(e.at, e.path, "unknown key: %s", suggestion(e.key, known))
}

// isExtension reports whether a key is ignored: a top-level key that begins with x-, for example to hold anchors.
func isExtension(parent, key string) bool { return parent == "" && strings.HasPrefix(key, "x-") }

// defaultResource is the Python library's name of an entity's limits for all resources.
const defaultResource = "_default_"

// checkDuplicateDefault adds a problem if an entity has limits for all resources twice. The declarations from first on are the
// entity's.
func (r *reader) checkDuplicateDefault(m *Manifest, first int) {
	var one *Declaration
	for i := first; i < len(m.Settings); i++ {
		d := &m.Settings[i]
		if d.ID.Resource != "" {
			continue
		}
		if one != nil {
			r.add(d.At, d.Path, "duplicate limits for all resources, see line %d: remove one of them", one.At.Line)
		}
		one = d
	}
}
