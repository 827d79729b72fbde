package httplimit

import (
	"math"
	"math/bits"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

const (
	// noCap is the longest wait.
	noCap = time.Duration(math.MaxInt64)

	// largest is the largest integer of a structured field (RFC 9651).
	largest = 999_999_999_999_999

	policyHeader = "Ratelimit-Policy" // as net/http writes RateLimit-Policy
	limitHeader  = "Ratelimit"
)

// shownName is the name of a limit in responses, "" if it is not shown.
func (m *middleware) shownName(limit string) string {
	if name, mapped := m.Names[limit]; mapped {
		return name
	}
	return limit
}

// showStatuses sets the headers that tell an entity of its own limits. No reset is later than mostReset. values is memory for the
// values of two headers.
func (m *middleware) showStatuses(h http.Header, all []engine.LimitStatus, entity string, mostReset time.Duration, values *[2]string) {
	var memory [128]byte
	limits := memory[:0]
	for i := range all {
		s := &all[i]
		name := m.shownName(s.Limit.Name)
		if s.Entity != entity || name == "" {
			continue
		}
		remaining, reset := max(s.Remaining, 0), min(s.ResetAfter, mostReset)
		if m.Style != IETF {
			m.keys.of(m.Style, name).set(h, s.Limit.Capacity, remaining, m.resetText(reset))
			continue
		}
		limits = appendItem(limits, name)
		limits = appendParameter(limits, ";r=", remaining)
		limits = appendParameter(limits, ";t=", seconds(reset))
	}
	if len(limits) > 0 {
		values[0], values[1] = m.policies(all, entity), string(limits)
		h[policyHeader], h[limitHeader] = values[0:1:1], values[1:2:2]
	}
}

// policies is the value of RateLimit-Policy. Most requests have the same limits as the one before.
func (m *middleware) policies(all []engine.LimitStatus, entity string) string {
	if last := m.lastPolicy.Load(); last != nil && last.isOf(all, entity) {
		return last.text
	}
	made := &policy{}
	var text []byte
	for i := range all {
		if all[i].Entity != entity {
			continue
		}
		limit := all[i].Limit
		made.limits = append(made.limits, limit)
		if name := m.shownName(limit.Name); name != "" {
			text = appendItem(text, name)
			text = appendParameter(text, ";q=", limit.Capacity)
			text = appendParameter(text, ";w=", window(limit))
		}
	}
	made.text = string(text)
	m.lastPolicy.Store(made)
	return made.text
}

// policy is a value of RateLimit-Policy, and the limits that it describes.
type policy struct {
	limits []engine.Limit
	text   string
}

// isOf reports whether the limits are those of an entity.
func (p *policy) isOf(all []engine.LimitStatus, entity string) bool {
	n := 0
	for i := range all {
		if all[i].Entity != entity {
			continue
		}
		if n == len(p.limits) || p.limits[n] != all[i].Limit {
			return false
		}
		n++
	}
	return n == len(p.limits)
}

func appendItem(field []byte, name string) []byte {
	if len(field) > 0 {
		field = append(field, ", "...)
	}
	field = append(field, '"')
	field = append(field, name...)
	return append(field, '"')
}

func appendParameter(field []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(field, key...), min(n, largest), 10)
}

// window is how long a limit takes to refill from empty, in seconds, rounded up and at least 1: the quota is its capacity.
func window(l engine.Limit) int64 {
	high, low := bits.Mul64(uint64(l.Capacity), uint64(l.RefillPeriod))
	if high >= uint64(l.RefillAmount) {
		return largest
	}
	nanos, _ := bits.Div64(high, low, uint64(l.RefillAmount))
	return max(1, seconds(time.Duration(min(nanos, math.MaxInt64))))
}

// seconds rounds a duration up.
func seconds(d time.Duration) int64 {
	whole := int64(d / time.Second)
	if d%time.Second > 0 {
		whole++
	}
	return whole
}

// resetText is when a limit is full, as OpenAI and Anthropic write it.
func (m *middleware) resetText(after time.Duration) string {
	after = min(after, noCap-time.Second) // room for rounding up
	if m.Style == Anthropic {
		return m.Now().UTC().Add(after).Add(time.Second - 1).Truncate(time.Second).Format(time.RFC3339)
	}
	return (after + time.Millisecond - 1).Truncate(time.Millisecond).String()
}

// headerKeys are the names of headers by names of limits. There are few: they are made once.
type headerKeys struct{ known sync.Map }

// statusKeys are the headers of one limit, as net/http has them.
type statusKeys struct{ limit, remaining, reset string }

func (k *headerKeys) of(style Style, name string) *statusKeys {
	if known, ok := k.known.Load(name); ok {
		return known.(*statusKeys)
	}
	key := func(what string) string {
		if style == Anthropic {
			return http.CanonicalHeaderKey("anthropic-ratelimit-" + name + "-" + what)
		}
		return http.CanonicalHeaderKey("x-ratelimit-" + what + "-" + name)
	}
	made, _ := k.known.LoadOrStore(name, &statusKeys{key("limit"), key("remaining"), key("reset")})
	return made.(*statusKeys)
}

func (k *statusKeys) set(h http.Header, limit, remaining int64, reset string) {
	values := [...]string{strconv.FormatInt(limit, 10), strconv.FormatInt(remaining, 10), reset}
	h[k.limit], h[k.remaining], h[k.reset] = values[0:1:1], values[1:2:2], values[2:3:3]
}
