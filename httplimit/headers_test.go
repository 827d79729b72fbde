package httplimit

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// lines are headers as a reader sees them, sorted.
func lines(h http.Header) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(h)) {
		all = append(all, key+": "+strings.Join(h[key], " | "))
	}
	return strings.Join(all, "\n")
}

func TestStyles(t *testing.T) {
	statuses := []engine.LimitStatus{
		{Entity: "a", Limit: engine.PerMinute("rpm", 60), Remaining: 59, ResetAfter: 999_999_999},
		{Entity: "a", Limit: engine.PerMinute("tpm", 10_000).WithBurst(15_000), Remaining: -5_000, ResetAfter: 6*time.Minute + 1},
		{Entity: "a", Limit: engine.PerDay("images", 7), Remaining: 7},
		{Entity: "parent", Limit: engine.PerMinute("rpm", 1)},
	}
	for _, c := range []struct {
		name string
		o    Options
		cap  time.Duration
		want string
	}{
		{"IETF", Options{}, noCap, `
Ratelimit: "rpm";r=59;t=1, "tpm";r=0;t=361, "images";r=7;t=0
Ratelimit-Policy: "rpm";q=60;w=60, "tpm";q=15000;w=90, "images";q=7;w=86400`},
		{"capped", Options{}, 500 * time.Millisecond, `
Ratelimit: "rpm";r=59;t=1, "tpm";r=0;t=1, "images";r=7;t=0
Ratelimit-Policy: "rpm";q=60;w=60, "tpm";q=15000;w=90, "images";q=7;w=86400`},
		{"names", Options{Names: map[string]string{"rpm": "requests", "tpm": ""}}, noCap, `
Ratelimit: "requests";r=59;t=1, "images";r=7;t=0
Ratelimit-Policy: "requests";q=60;w=60, "images";q=7;w=86400`},
		{"OpenAI", Options{Style: OpenAI}, noCap, `
X-Ratelimit-Limit-Images: 7
X-Ratelimit-Limit-Requests: 60
X-Ratelimit-Limit-Tokens: 15000
X-Ratelimit-Remaining-Images: 7
X-Ratelimit-Remaining-Requests: 59
X-Ratelimit-Remaining-Tokens: 0
X-Ratelimit-Reset-Images: 0s
X-Ratelimit-Reset-Requests: 1s
X-Ratelimit-Reset-Tokens: 6m0.001s`},
		{"Anthropic", Options{Style: Anthropic, Names: map[string]string{"rpm": "requests", "tpm": "tokens", "images": ""}}, noCap, `
Anthropic-Ratelimit-Requests-Limit: 60
Anthropic-Ratelimit-Requests-Remaining: 59
Anthropic-Ratelimit-Requests-Reset: 2026-03-01T12:00:02Z
Anthropic-Ratelimit-Tokens-Limit: 15000
Anthropic-Ratelimit-Tokens-Remaining: 0
Anthropic-Ratelimit-Tokens-Reset: 2026-03-01T12:06:01Z`},
	} {
		c.o.Now = func() time.Time {
			return time.Date(2026, 3, 1, 13, 0, 0, 2_000_000, time.FixedZone("", 3600))
		}
		m := &middleware{Options: c.o.withDefaults()}
		for range 2 { // the second time with what is remembered
			h := http.Header{}
			m.showStatuses(h, statuses, "a", c.cap, new(headerValues))
			if got := lines(h); got != c.want[1:] {
				t.Errorf("%s:\n%s\nwant%s", c.name, got, c.want)
			}
		}
		h := http.Header{}
		if m.showStatuses(h, statuses, "nobody", c.cap, new(headerValues)); len(h) != 0 {
			t.Errorf("%s: headers of nobody: %v", c.name, h)
		}
	}
}

// The description that is remembered is used for the same limits only, also if another has its place.
func TestPoliciesOfSeveral(t *testing.T) {
	m := &middleware{Options: (&Options{}).withDefaults()}
	of := func(limits ...engine.Limit) string {
		all := []engine.LimitStatus{{Entity: "parent", Limit: engine.PerDay("x", 1)}}
		for _, l := range limits {
			all = append(all, engine.LimitStatus{Entity: "a", Limit: l})
		}
		return m.describe(all, "a").policy
	}
	a, b := engine.PerMinute("a", 1), engine.PerMinute("b", 2)
	for _, c := range []struct {
		limits []engine.Limit
		want   string
	}{
		{[]engine.Limit{a}, `"a";q=1;w=60`},
		{[]engine.Limit{a, b}, `"a";q=1;w=60, "b";q=2;w=60`},
		{[]engine.Limit{a, b}, `"a";q=1;w=60, "b";q=2;w=60`},
		{[]engine.Limit{a}, `"a";q=1;w=60`},
		{[]engine.Limit{a.WithBurst(3)}, `"a";q=3;w=180`},
		{[]engine.Limit{engine.PerHour("a", 1)}, `"a";q=1;w=3600`},
	} {
		if got := of(c.limits...); got != c.want {
			t.Errorf("%v: %s, want %s", c.limits, got, c.want)
		}
	}
}

// The largest limits have no longer integers than a structured field allows, and nothing overflows.
func TestLargestLimits(t *testing.T) {
	large := engine.Limit{Name: "a", Capacity: 1e15, RefillAmount: 1e15, RefillPeriod: time.Millisecond}
	slow := engine.Limit{Name: "b", Capacity: 1e15, RefillAmount: 1, RefillPeriod: 3650 * 24 * time.Hour}
	uneven := engine.Limit{Name: "c", Capacity: 1e15 - 1, RefillAmount: 1e15, RefillPeriod: 1500 * time.Millisecond}
	for _, c := range []struct {
		style Style
		want  string
	}{
		{IETF, `
Ratelimit: "a";r=999999999999999;t=9223372037, "b";r=0;t=9223372037, "c";r=0;t=9223372037
Ratelimit-Policy: "a";q=999999999999999;w=1, "b";q=999999999999999;w=999999999999999, "c";q=999999999999999;w=2`},
		{OpenAI, `
X-Ratelimit-Limit-A: 1000000000000000
X-Ratelimit-Limit-B: 1000000000000000
X-Ratelimit-Limit-C: 999999999999999
X-Ratelimit-Remaining-A: 1000000000000000
X-Ratelimit-Remaining-B: 0
X-Ratelimit-Remaining-C: 0
X-Ratelimit-Reset-A: 2562047h47m15.855s
X-Ratelimit-Reset-B: 2562047h47m15.855s
X-Ratelimit-Reset-C: 2562047h47m15.855s`},
	} {
		m := &middleware{Options: (&Options{Style: c.style}).withDefaults()}
		h := http.Header{}
		m.showStatuses(h, []engine.LimitStatus{
			{Limit: large, Remaining: 1e15, ResetAfter: math.MaxInt64},
			{Limit: slow, Remaining: math.MinInt64, ResetAfter: math.MaxInt64},
			{Limit: uneven, Remaining: math.MinInt64, ResetAfter: math.MaxInt64},
		}, "", noCap, new(headerValues))
		if got := lines(h); got != c.want[1:] {
			t.Errorf("%s\nwant%s", got, c.want)
		}
	}
}

// New panics at names that would break a header.
func TestBadNames(t *testing.T) {
	for _, name := range []string{"a b", "a\"", "a\r\nX: y", "ü", "a:b"} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, `Names["rpm"]`) {
					t.Errorf("%q: %s", name, text)
				}
			}()
			New(nil, &Options{Names: map[string]string{"rpm": name}})
		}()
	}
}
