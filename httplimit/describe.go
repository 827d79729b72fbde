package httplimit

import (
	"net/http"
	"strconv"

	"github.com/zeroae/zae-limiter-go/engine"
)

// descriptions are how many lists of limits are remembered.
const descriptions = 64

// description is what responses say of a list of limits, apart from what is left of them. Most requests have the same limits as one
// before.
type description struct {
	limits []engine.Limit
	shown  []shownLimit
	policy string // the value of RateLimit-Policy
}

// shownLimit is a limit as responses show it. Limits that are not shown have no name.
type shownLimit struct {
	name, capacity                   string
	limitKey, remainingKey, resetKey string // names of headers, as net/http has them
}

// describe returns the description of the limits of an entity.
func (m *middleware) describe(all []engine.LimitStatus, entity string) *description {
	slot := uint64(0)
	for i := range all {
		if all[i].Entity == entity {
			slot = slot*31 + uint64(all[i].Limit.Capacity)
		}
	}
	known := &m.known[slot%descriptions]
	if d := known.Load(); d != nil && d.isOf(all, entity) {
		return d
	}
	d := &description{}
	for i := range all {
		if all[i].Entity == entity {
			d.add(m, all[i].Limit)
		}
	}
	known.Store(d)
	return d
}

// isOf reports whether the limits are those of an entity.
func (d *description) isOf(all []engine.LimitStatus, entity string) bool {
	n := 0
	for i := range all {
		if all[i].Entity != entity {
			continue
		}
		if n == len(d.limits) || d.limits[n] != all[i].Limit {
			return false
		}
		n++
	}
	return n == len(d.limits)
}

func (d *description) add(m *middleware, limit engine.Limit) {
	l := shownLimit{name: m.shownName(limit.Name), capacity: strconv.FormatInt(limit.Capacity, 10)}
	key := func(what string) string {
		if m.Style == Anthropic {
			return http.CanonicalHeaderKey("anthropic-ratelimit-" + l.name + "-" + what)
		}
		return http.CanonicalHeaderKey("x-ratelimit-" + what + "-" + l.name)
	}
	l.limitKey, l.remainingKey, l.resetKey = key("limit"), key("remaining"), key("reset")
	d.limits, d.shown = append(d.limits, limit), append(d.shown, l)
	if l.name != "" {
		text := appendItem([]byte(d.policy), l.name)
		text = appendParameter(text, ";q=", limit.Capacity)
		d.policy = string(appendParameter(text, ";w=", window(limit)))
	}
}

// set sets the headers of OpenAI and Anthropic. The text has what remains and the reset of each limit that is shown, which end at ends.
func (d *description) set(h http.Header, text string, ends []int, values *headerValues) {
	all, begin, next := values[:], 0, 0
	if most := 3 * len(d.shown); most > len(all) {
		all = make([]string, most)
	}
	for i := range d.shown {
		l := &d.shown[i]
		if l.name == "" {
			continue
		}
		all[0], all[1], all[2] = l.capacity, text[begin:ends[next]], text[ends[next]:ends[next+1]]
		h[l.limitKey], h[l.remainingKey], h[l.resetKey] = all[0:1:1], all[1:2:2], all[2:3:3]
		all, begin, next = all[3:], ends[next+1], next+2
	}
}
