package httplimit

import (
	"math"
	"math/bits"
	"net/http"
	"strconv"
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

// headerValues is memory for the values of headers, of two limits in OpenAI's style.
type headerValues [6]string

// showStatuses sets the headers that tell an entity of its own limits. No reset is later than mostReset.
func (m *middleware) showStatuses(h http.Header, all []engine.LimitStatus, entity string, mostReset time.Duration, values *headerValues) {
	var (
		memory [256]byte
		places [16]int
	)
	d, text, ends, next := m.describe(all, entity), memory[:0], places[:0], 0
	for i := range all {
		s := &all[i]
		if s.Entity != entity {
			continue
		}
		l := &d.shown[next]
		next++
		if l.name == "" {
			continue
		}
		remaining, reset := max(s.Remaining, 0), min(s.ResetAfter, mostReset)
		if m.Style == IETF {
			text = appendItem(text, l.name)
			text = appendParameter(text, ";r=", remaining)
			text = appendParameter(text, ";t=", seconds(reset))
			continue
		}
		text = strconv.AppendInt(text, remaining, 10)
		ends = append(ends, len(text))
		text = m.appendReset(text, reset)
		ends = append(ends, len(text))
	}
	switch {
	case len(text) == 0:
	case m.Style == IETF:
		values[0], values[1] = d.policy, string(text)
		h[policyHeader], h[limitHeader] = values[0:1:1], values[1:2:2]
	default:
		d.set(h, string(text), ends, values)
	}
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

// appendReset appends when a limit is full, as OpenAI and Anthropic write it.
func (m *middleware) appendReset(text []byte, after time.Duration) []byte {
	after = min(after, noCap-time.Second) // room for rounding up
	if m.Style == Anthropic {
		full := m.Now().Add(after).Add(time.Second - 1).Unix()
		return time.Unix(full, 0).UTC().AppendFormat(text, time.RFC3339)
	}
	return append(text, (after + time.Millisecond - 1).Truncate(time.Millisecond).String()...)
}
