package manifest

import "strings"

// later are the keys of the Python library's manifests for features that there are not here yet, each with what to do
// instead.
var later = map[string]string{
	"schedule":            "leave it out, and apply a manifest for each part of the time, for example by cron",
	"reset_schedule":      "leave it out, and reset buckets by cron: zae-limiter reset ENTITY RESOURCE",
	"reset_after_seconds": "leave it out: tokens refill steadily, refill_amount of them in each refill_period",
	"soft":                "leave it out, and watch what is used: zae-limiter usage summary; a limit here denies whenever it is used up",
	"cascade":             "leave it out here, and write cascade beside the entity's parent, where it holds for all resources",
	"disabled":            "leave it out, and write a limit that one request uses up, such as rpm: 1/3650day",
	"bypass":              "leave it out, and write a limit that nobody reaches, such as rpm: 1000000000000000",
}

// unknown tells what is wrong with a key that may not stand where it does.
func (r *reader) unknown(e *entry, known []string) {
	if instead, there := later[e.key]; there {
		r.add(e.at, e.path, "%s is not supported yet; %s", e.key, instead)
		return
	}
	r.add(e.at, e.path, "is not known here; %s", suggestion(e.key, known))
}

// aside reports whether a key is for the manifest's own use, such as to hold anchors: a key of the whole that begins with x-.
func aside(parent, key string) bool { return parent == "" && strings.HasPrefix(key, "x-") }

// defaultResource is what the Python library calls the limits of an entity for all resources.
const defaultResource = "_default_"

// once wants limits of an entity for all resources to stand in one place: those from the first declaration on are the entity's.
func (r *reader) once(m *Manifest, first int) {
	var one *Declaration
	for i := first; i < len(m.Settings); i++ {
		d := &m.Settings[i]
		if d.ID.Resource != "" {
			continue
		}
		if one != nil {
			r.add(d.At, d.Path, "is for all resources, as what stands in line %d; leave one of them", one.At.Line)
		}
		one = d
	}
}
