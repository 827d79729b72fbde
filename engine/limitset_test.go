package engine

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/schema"
)

func brought(l Limit) schema.Term { return schema.Term{Limit: l, Brought: true} }
func stored1(l Limit) schema.Term { return schema.Term{Limit: l} }

func TestPlan(t *testing.T) {
	a, b := PerMinute("a", 10), PerDay("b", 10).WithBurst(5)
	given := []Limit{b, a}
	p := limitSetOf(given, false)
	if !slices.Equal(given, []Limit{b, a}) {
		t.Error("the caller's list was sorted")
	}
	if !slices.Equal(p.limits(), []Limit{a, b}) || p.index("a") != 0 || p.index("b") != 1 || p.index("c") != -1 {
		t.Errorf("%+v", p)
	}
	if p.fill != 12*time.Hour || p.rates[0].Capacity() != 10 || p.rates[1].Capacity() != 5 {
		t.Errorf("%+v", p)
	}
	if p.text != limitSetOf([]Limit{a, b}, false).text || p.text == limitSetOf(given, true).text {
		t.Error("texts do not tell lists apart")
	}
	again, err := unpackLimitSet(p.text)
	if err != nil || !slices.Equal(again.terms, p.terms) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := unpackLimitSet("?"); !errors.Is(err, schema.ErrFormat) {
		t.Error(err)
	}
	var none *limitSet
	if none.index("a") != -1 || none.limits() != nil {
		t.Error("nil is the plan of no limits")
	}
}

func TestPlanBrings(t *testing.T) {
	a, b := PerMinute("a", 10), PerDay("b", 10)
	p := limitSetOf([]Limit{a, b}, true)
	for _, c := range []struct {
		p      *limitSet
		limits []Limit
		want   bool
	}{
		{p, []Limit{a, b}, true},
		{p, []Limit{b, a}, true},
		{p, []Limit{a}, false},
		{p, []Limit{a, a}, false},
		{p, []Limit{a, b.WithBurst(11)}, false},
		{p, nil, false},
		{limitSetOf([]Limit{a, b}, false), []Limit{a, b}, false},
		{nil, []Limit{a}, false},
	} {
		if c.p.brings(c.limits) != c.want {
			t.Errorf("brings(%v) is %v", c.limits, !c.want)
		}
	}
}

func TestPlanFits(t *testing.T) {
	a, b, c := PerMinute("a", 10), PerMinute("b", 10), PerMinute("c", 10)
	of := func(terms ...schema.Term) *limitSet { return newLimitSet(terms) }
	for _, v := range []struct {
		what                 string
		record, view, stored *limitSet
		want                 bool
	}{
		{"the same, stored", of(stored1(a)), of(stored1(a)), of(stored1(a)), true},
		{"the same, brought", of(brought(a)), of(brought(a)), nil, true},
		{"other parameters", of(stored1(a.WithBurst(9))), of(stored1(a)), of(stored1(a)), false},
		{"brought, not stored", of(brought(a)), of(stored1(a)), of(stored1(a)), false},
		{"stored, not brought", of(stored1(a)), of(brought(a)), nil, false},
		{"one missing", of(stored1(a)), of(stored1(a), stored1(b)), of(stored1(a), stored1(b)), false},
		{"brought by another", of(stored1(a), brought(b)), of(stored1(a)), of(stored1(a)), true},
		{"not stored any more", of(stored1(a), stored1(b)), of(stored1(a)), of(stored1(a)), false},
		{"stored beside an override", of(brought(a), stored1(b)), of(brought(a)), of(stored1(b), stored1(c)), true},
		{"not stored, beside an override", of(brought(a), stored1(b)), of(brought(a)), nil, false},
		{"all at once", of(brought(a), stored1(b), brought(c)), of(brought(a)), of(stored1(b)), true},
	} {
		if v.record.fits(v.view, v.stored) != v.want {
			t.Errorf("%s: %v", v.what, !v.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	const now, second, day = int64(1_772_366_400e9), int64(time.Second), int64(24 * time.Hour)
	const tenMinutes = 600 * second
	for _, c := range []struct {
		full int64
		hold time.Duration
		want int64
	}{
		{now, time.Hour, now/second + 4200},
		{now, 0, now/second + 600},
		{now + 1, time.Hour, now/second + 4201},
		{now + 60*second, time.Hour, now/second + 4260},
		{now + 3650*day, time.Hour, (now+3650*day)/second + 4200},
		{now, 3650 * 24 * time.Hour, (now+3650*day)/second + 600},
		{now + 3650*day + 1, time.Hour, -1},
		{now, 3650*24*time.Hour + 1, -1},
		{math.MaxInt64, time.Hour, -1},
		{math.MaxInt64 - tenMinutes + 1, 0, -1},
	} {
		if got := expiry(now, c.full, c.hold); int64(got) != c.want {
			t.Errorf("full %d ns from now, held %v: %d, not %d", c.full-now, c.hold, got, c.want)
		}
	}
	if got := expiry(math.MaxInt64-3650*day, math.MaxInt64-tenMinutes+1, 0); got != -1 {
		t.Errorf("at the end of time: %d", got)
	}
	for _, c := range []struct {
		t    int64
		d    time.Duration
		want int64
	}{{5, 7, 12}, {math.MaxInt64 - 1, 1, math.MaxInt64}, {math.MaxInt64 - 1, 2, math.MaxInt64}, {now, math.MaxInt64, math.MaxInt64}} {
		if got := saturatedAdd(c.t, c.d); got != c.want {
			t.Errorf("%d + %d is %d", c.t, c.d, got)
		}
	}
}

// Equal texts share a plan, however many there are.
func TestPlanCache(t *testing.T) {
	var c limitSetCache
	p := c.share(limitSetOf([]Limit{PerMinute("a", 1)}, false))
	if q := c.share(limitSetOf([]Limit{PerMinute("a", 1)}, false)); q != p {
		t.Error("two plans of one text")
	}
	if q, err := c.get(p.text); err != nil || q != p {
		t.Errorf("%v, %v", q, err)
	}
	if _, err := c.get(""); !errors.Is(err, schema.ErrFormat) {
		t.Error(err)
	}
	for i := range 2 * mostCached {
		q, err := c.get(limitSetOf([]Limit{PerMinute("b", int64(i+1))}, false).text)
		if err != nil || q.limits()[0] != PerMinute("b", int64(i+1)) {
			t.Fatal(strconv.Itoa(i), q, err)
		}
	}
	if len(c.sets) > mostCached {
		t.Errorf("%d plans are kept", len(c.sets))
	}
}
