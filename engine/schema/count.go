package schema

import (
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Count adds counters, each of another name, to a snapshot: it gives the conditions under which the effects do so. Where
// the record is not known, r must not be present: then it is taken for one without counters, or with counters for just
// these names in this order, which it has where the bucket's limits did not change. A record that is known must be the
// same, which is for the caller to demand (by UsageVer). ErrFormat for one that this version cannot read.
func Count(r *backend.Record, add []Counter) (conds []backend.Cond, effects []backend.Effect, err error) {
	names := usageNames(r)
	rest, err := usageRest(r)
	if err != nil {
		return nil, nil, err
	}
	if len(names) > maxCounters {
		return nil, nil, ErrFormat
	}
	before, share := len(names), false
	for _, c := range add {
		at := indexOf(names, c.Name)
		switch {
		case at >= 0 && c.N.IsZero():
			continue // it is there
		case at < 0 && len(names) == maxCounters:
			rest, share = addTo(rest, c), true
			continue
		case at < 0:
			at, names = len(names), append(names, c.Name)
		}
		effects = append(effects, backend.Effect{Slot: firstCounter + backend.Slot(at), Op: backend.Add, Num: c.N})
	}
	if len(names) > before {
		text := strings.Join(names, "|")
		effects = append(effects, backend.Effect{Slot: UsageNames, Op: backend.Set, Text: text})
		if !r.Present() {
			conds = append(conds, backend.Cond{Slot: UsageNames, Op: backend.Equal, OrAbsent: true, Text: text})
		}
	}
	if share {
		effects = append(effects, backend.Effect{Slot: UsageRest, Op: backend.Set, Text: packRest(rest)})
		if !r.Present() {
			conds = append(conds, backend.Cond{Slot: UsageRest, Op: backend.Absent})
		}
	}
	return conds, effects, nil
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

func addTo(rest []Counter, c Counter) []Counter {
	for i := range rest {
		if rest[i].Name == c.Name {
			rest[i].N = rest[i].N.Add(c.N)
			return rest
		}
	}
	return append(rest, c)
}

func packRest(rest []Counter) string {
	parts := make([]string, len(rest))
	for i, c := range rest {
		parts[i] = c.Name + "=" + c.N.String()
	}
	return strings.Join(parts, "|")
}
