package engine

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// keep keeps statuses: their limits, what remains, and what was requested.
func keep(all ...LimitStatus) (s charge.Snapshot) {
	for _, status := range all {
		set := limitset.Of([]Limit{status.Limit}, false)
		rate := &set.Rates[0]
		*s.Add() = charge.LimitState{
			ID: &charge.ID{Entity: status.Entity, Resource: status.Resource}, Set: set,
			Arrival:   bucket.Arrival{At: rate.Y(s.Now).Add(rate.Cost(status.Limit.Capacity - status.Remaining)), Seen: true},
			Requested: status.Requested, Exceeded: status.Exceeded, RetryAfter: status.RetryAfter,
		}
	}
	return s
}

// denial is one of an entity "user" below "org".
func denial() *ExceededError {
	return &ExceededError{
		entity: "user", note: " (note)", RetryAfter: 90500 * time.Microsecond,
		limits: keep(
			LimitStatus{Entity: "user", Resource: "r", Limit: PerMinute("rpm", 10).WithBurst(20), Remaining: 3, Requested: 1},
			LimitStatus{Entity: "user", Resource: "r", Limit: PerSecond("tps", 5), Remaining: -2, Requested: 1, Exceeded: true, RetryAfter: 1},
			LimitStatus{Entity: "org", Resource: "r", Limit: PerMinute("rpm", 100), Requested: 1, Exceeded: true, RetryAfter: 90500 * time.Microsecond}),
	}
}

func never() *ExceededError {
	e := denial()
	e.NeverFits, e.RetryAfter = true, math.MaxInt64
	second := &e.limits.Limits()[0][1]
	second.Requested, second.RetryAfter = 7, math.MaxInt64
	return e
}

func TestExceeded(t *testing.T) {
	var err error = denial()
	if errors.Is(err, ErrNeverFits) || !errors.Is(never(), ErrNeverFits) {
		t.Error("errors.Is and NeverFits disagree")
	}
	for _, c := range []struct {
		e       *ExceededError
		text    string
		primary string
		seconds int

		violations int
		last       string
	}{
		{denial(), "engine: rate limit exceeded: rpm of org on r: 1 requested, 0 available of 100, retry after 91ms (note)", "org", 1, 2, "org"},
		{never(), "engine: rate limit exceeded: tps of user on r: 7 requested, -2 available of 5, can never fit (note)", "user", 9223372037, 2, "org"},
		{denial().Public(), "engine: rate limit exceeded: tps of user on r: 1 requested, -2 available of 5, retry after 91ms", "user", 1, 1, "user"},
	} {
		if c.e.Error() != c.text {
			t.Errorf("got %s\nwant %s", c.e, c.text)
		}
		if p := c.e.Primary(); p.Entity != c.primary {
			t.Errorf("primary is %+v", p)
		}
		if n := c.e.RetryAfterSeconds(); n != c.seconds {
			t.Errorf("%d seconds, not %d", n, c.seconds)
		}
		if v := c.e.Violations(); len(v) != c.violations || v[0].Limit.Name != "tps" || v[len(v)-1].Entity != c.last {
			t.Errorf("violations: %+v", v)
		}
	}
	for wait, seconds := range map[time.Duration]int{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2} {
		if n := (&ExceededError{RetryAfter: wait}).RetryAfterSeconds(); n != seconds {
			t.Errorf("%v are %d seconds", wait, n)
		}
	}
}

func TestExceededPublic(t *testing.T) {
	e := denial()
	p := e.Public()
	all, own := e.Statuses(), p.Statuses()
	if len(all) != 3 || all[2].Entity != "org" || e.note == "" {
		t.Error("Public changed the error itself")
	}
	if !slices.Equal(own, all[:2]) || p.RetryAfter != e.RetryAfter {
		t.Errorf("of the entity's own limits are left: %+v", own)
	}
	if text, err := json.Marshal(p); err != nil || strings.Contains(string(text), "org") || strings.Contains(string(text), `"capacity":0`) {
		t.Errorf("its JSON: %s, %v", text, err)
	}
	// Only the parent denied: no limit can be named, and the wait stays.
	e.limits = keep(all[0], all[2])
	p = e.Public()
	const want = `{"error":"rate_limit_exceeded","message":"rate limit exceeded, retry after 91ms","retry_after_seconds":0.091,"retry_after_ms":91,"never_fits":false,"limits":[{"entity_id":"user",`
	if text, err := json.Marshal(p); err != nil || !strings.HasPrefix(string(text), want) || p.Primary() != (LimitStatus{}) {
		t.Errorf("denied by the parent alone: %s, %v", text, err)
	}
	e.limits = keep(all[2])
	if text, err := json.Marshal(e.Public()); err != nil || !strings.HasSuffix(string(text), `"limits":[]}`) {
		t.Errorf("without limits of its own: %s, %v", text, err)
	}
}

// More limits than a snapshot has room for are kept all the same, and no two callers share what they are given.
func TestStatusesOfManyLimits(t *testing.T) {
	var want []LimitStatus
	for i := range int64(6) {
		want = append(want, LimitStatus{Entity: "user", Resource: "r", Limit: PerMinute("l", 10+i), Remaining: i, Requested: i})
	}
	d := Decision{limits: keep(want...)}
	for i, s := range d.Statuses() {
		if want[i].ResetAfter = s.ResetAfter; s != want[i] || s.ResetAfter <= 0 {
			t.Errorf("%+v, not %+v", s, want[i])
		}
	}
	d.Statuses()[5].Remaining = 77
	if s := d.Statuses()[5]; s.Remaining != 5 {
		t.Errorf("a caller's change shows to others: %+v", s)
	}
}

func TestExceededJSON(t *testing.T) {
	const first = `{"entity_id":"user","resource":"r","limit_name":"rpm","kind":"rate","capacity":20,"refill_amount":10,"refill_period_seconds":60,"available":3,"remaining":3,"requested":1,"exceeded":false,"reset_after_seconds":102,"retry_after_seconds":0}`
	const last = `{"entity_id":"org","resource":"r","limit_name":"rpm","kind":"rate","capacity":100,"refill_amount":100,"refill_period_seconds":60,"available":0,"remaining":0,"requested":1,"exceeded":true,"reset_after_seconds":60,"retry_after_seconds":0.091}`
	for want, e := range map[string]*ExceededError{
		`{"error":"rate_limit_exceeded","message":"rate limit exceeded: rpm of org on r: 1 requested, 0 available of 100, retry after 91ms (note)",` +
			`"retry_after_seconds":0.091,"retry_after_ms":91,"never_fits":false,"limits":[` + first +
			`,{"entity_id":"user","resource":"r","limit_name":"tps","kind":"rate","capacity":5,"refill_amount":5,"refill_period_seconds":1,"available":-2,"remaining":-2,"requested":1,"exceeded":true,"reset_after_seconds":1.4,"retry_after_seconds":0.001},` + last + `]}`: denial(),
		`{"error":"rate_limit_exceeded","message":"rate limit exceeded: tps of user on r: 7 requested, -2 available of 5, can never fit (note)",` +
			`"retry_after_seconds":null,"retry_after_ms":null,"never_fits":true,"limits":[` + first +
			`,{"entity_id":"user","resource":"r","limit_name":"tps","kind":"rate","capacity":5,"refill_amount":5,"refill_period_seconds":1,"available":-2,"remaining":-2,"requested":7,"exceeded":true,"reset_after_seconds":1.4,"retry_after_seconds":null},` + last + `]}`: never(),
	} {
		got, err := json.Marshal(e)
		if err != nil || string(got) != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
}
