package limitset

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

func perMinute(name string, n int64) bucket.Limit { return per(time.Minute, name, n) }
func perDay(name string, n int64) bucket.Limit    { return per(24*time.Hour, name, n) }

func per(period time.Duration, name string, n int64) bucket.Limit {
	return bucket.Limit{Name: name, Capacity: n, RefillAmount: n, RefillPeriod: period}
}

func brought(l bucket.Limit) schema.Term { return schema.Term{Limit: l, Brought: true} }
func stored1(l bucket.Limit) schema.Term { return schema.Term{Limit: l} }

func TestSet(t *testing.T) {
	a, b := perMinute("a", 10), perDay("b", 10).WithBurst(5)
	given := []bucket.Limit{b, a}
	p := Of(given, false)
	if !slices.Equal(given, []bucket.Limit{b, a}) {
		t.Error("the caller's list was sorted")
	}
	if !slices.Equal(p.Limits(), []bucket.Limit{a, b}) || p.Index("a") != 0 || p.Index("b") != 1 || p.Index("c") != -1 {
		t.Errorf("%+v", p)
	}
	if p.Fill != 12*time.Hour || p.Rates[0].Capacity() != 10 || p.Rates[1].Capacity() != 5 {
		t.Errorf("%+v", p)
	}
	if p.Text != Of([]bucket.Limit{a, b}, false).Text || p.Text == Of(given, true).Text {
		t.Error("texts do not tell lists apart")
	}
	again, err := unpack(p.Text)
	if err != nil || !slices.Equal(again.Terms, p.Terms) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := unpack("?"); !errors.Is(err, schema.ErrFormat) {
		t.Error(err)
	}
	var none *Set
	if none.Index("a") != -1 || none.Limits() != nil {
		t.Error("nil is the set of no limits")
	}
}

func TestSetBrings(t *testing.T) {
	a, b := perMinute("a", 10), perDay("b", 10)
	p := Of([]bucket.Limit{a, b}, true)
	for _, c := range []struct {
		p      *Set
		limits []bucket.Limit
		want   bool
	}{
		{p, []bucket.Limit{a, b}, true},
		{p, []bucket.Limit{b, a}, true},
		{p, []bucket.Limit{a}, false},
		{p, []bucket.Limit{a, a}, false},
		{p, []bucket.Limit{a, b.WithBurst(11)}, false},
		{p, nil, false},
		{Of([]bucket.Limit{a, b}, false), []bucket.Limit{a, b}, false},
		{nil, []bucket.Limit{a}, false},
	} {
		if c.p.Brings(c.limits) != c.want {
			t.Errorf("brings(%v) is %v", c.limits, !c.want)
		}
	}
}

func TestSetFits(t *testing.T) {
	a, b, c := perMinute("a", 10), perMinute("b", 10), perMinute("c", 10)
	of := func(terms ...schema.Term) *Set { return New(terms) }
	for _, v := range []struct {
		what                 string
		record, view, stored *Set
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
		if v.record.Fits(v.view, v.stored) != v.want {
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
		if got := Expiry(now, c.full, c.hold); int64(got) != c.want {
			t.Errorf("full %d ns from now, held %v: %d, not %d", c.full-now, c.hold, got, c.want)
		}
	}
	if got := Expiry(math.MaxInt64-3650*day, math.MaxInt64-tenMinutes+1, 0); got != -1 {
		t.Errorf("at the end of time: %d", got)
	}
	for _, c := range []struct {
		t    int64
		d    time.Duration
		want int64
	}{{5, 7, 12}, {math.MaxInt64 - 1, 1, math.MaxInt64}, {math.MaxInt64 - 1, 2, math.MaxInt64}, {now, math.MaxInt64, math.MaxInt64}} {
		if got := AddSaturated(c.t, c.d); got != c.want {
			t.Errorf("%d + %d is %d", c.t, c.d, got)
		}
	}
}

// Equal texts share a set, however many there are.
func TestSetCache(t *testing.T) {
	var c Cache
	p := c.Share(Of([]bucket.Limit{perMinute("a", 1)}, false))
	if q := c.Share(Of([]bucket.Limit{perMinute("a", 1)}, false)); q != p {
		t.Error("two sets of one text")
	}
	if q, err := c.Get(p.Text); err != nil || q != p {
		t.Errorf("%v, %v", q, err)
	}
	if _, err := c.Get(""); !errors.Is(err, schema.ErrFormat) {
		t.Error(err)
	}
	for i := range 2 * MostCached {
		q, err := c.Get(Of([]bucket.Limit{perMinute("b", int64(i+1))}, false).Text)
		if err != nil || q.Limits()[0] != perMinute("b", int64(i+1)) {
			t.Fatal(strconv.Itoa(i), q, err)
		}
	}
	if len(c.sets) > MostCached {
		t.Errorf("%d sets are kept", len(c.sets))
	}
}
