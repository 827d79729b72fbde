package limitertest_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// A denial that is made is the one that a limiter would return.
func TestExceededIsLikeALimiters(t *testing.T) {
	l := limitertest.New(t, nil)
	r := request
	for r.Consume = (engine.Tokens{"rpm": 2, "tpm": 9_500}); ; r.Consume = (engine.Tokens{"rpm": 1, "tpm": 1_000}) {
		_, err := l.Acquire(t.Context(), r)
		var want *engine.ExceededError
		if err == nil {
			continue
		}
		if !errors.As(err, &want) {
			t.Fatal(err)
		}
		var given []engine.LimitStatus
		for _, s := range want.Statuses() {
			given = append(given, engine.LimitStatus{
				Entity: s.Entity, Resource: s.Resource, Limit: s.Limit, Remaining: s.Remaining, Requested: s.Requested,
			})
		}
		got := limitertest.Exceeded(given...)
		gotJSON, gotErr := got.MarshalJSON()
		wantJSON, wantErr := want.MarshalJSON()
		if gotErr != nil || wantErr != nil || string(gotJSON) != string(wantJSON) || got.Error() != want.Error() {
			t.Errorf("made:\n%s\n%v\nthe limiter's:\n%s\n%v", gotJSON, got, wantJSON, want)
		}
		return
	}
}

func TestExceeded(t *testing.T) {
	rpm := engine.PerMinute("rpm", 2)
	for _, c := range []struct {
		name       string
		statuses   []engine.LimitStatus
		retryAfter time.Duration
		never      bool
		public     int // statuses
	}{
		{"nothing", nil, 0, false, 0},
		{"requested", []engine.LimitStatus{{Entity: "a", Limit: rpm, Requested: 1}}, 30 * time.Second, false, 1},
		{"wait", []engine.LimitStatus{{Entity: "a", Limit: rpm, RetryAfter: 7 * time.Second}}, 7 * time.Second, false, 1},
		{"debt", []engine.LimitStatus{{Entity: "a", Limit: rpm, Remaining: -1, Requested: 1}}, time.Minute, false, 1},
		{"never", []engine.LimitStatus{{Entity: "a", Limit: rpm, Remaining: 2, Requested: 3}}, math.MaxInt64, true, 1},
		{"exact", []engine.LimitStatus{{Entity: "a", Limit: engine.PerSecond("rps", 7).WithBurst(1e9), Requested: 1e9}}, 142_857_142_857_142_858, false, 1},
		{"longest", []engine.LimitStatus{{Entity: "a", Limit: engine.PerDay("rpd", 1).WithBurst(1e15), Requested: 1e15}}, math.MaxInt64, false, 1},
		{"parent", []engine.LimitStatus{
			{Entity: "a", Limit: rpm, Remaining: 2, Requested: 1},
			{Entity: "p", Limit: rpm, Requested: 1},
		}, 30 * time.Second, false, 1},
	} {
		e := limitertest.Exceeded(c.statuses...)
		if e.RetryAfter != c.retryAfter || e.Primary().RetryAfter != c.retryAfter || e.NeverFits != c.never || errors.Is(e, engine.ErrNeverFits) != c.never {
			t.Errorf("%s: retry after %v, its limit %v, never %v", c.name, e.RetryAfter, e.Primary().RetryAfter, e.NeverFits)
		}
		if n := len(e.Public().Statuses()); n != c.public || len(e.Statuses()) != len(c.statuses) {
			t.Errorf("%s: %d statuses, %d of them public", c.name, len(e.Statuses()), n)
		}
	}
}
