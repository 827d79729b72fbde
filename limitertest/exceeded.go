package limitertest

import (
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Exceeded returns a denial for the test of code that handles it. The first status is of the entity that made the request;
// those of other entities are its parents. A status is completed where it is zero: a limit that does not fit, by Requested and
// Remaining or by RetryAfter, is Exceeded; one whose Requested is above the capacity NeverFits; and waits follow from the refill
// rate. So these return the same denial, except for the amounts:
//
//	limitertest.Exceeded(engine.LimitStatus{Entity: "user-123", Resource: "gpt-4", Limit: engine.PerMinute("rpm", 2), Requested: 1})
//	limitertest.Exceeded(engine.LimitStatus{Entity: "user-123", Resource: "gpt-4", Limit: engine.PerMinute("rpm", 2), RetryAfter: 30 * time.Second})
func Exceeded(statuses ...engine.LimitStatus) *engine.ExceededError {
	completed := make([]engine.LimitStatus, len(statuses))
	for i, s := range statuses {
		s.NeverFits = s.NeverFits || s.Requested > s.Limit.Capacity
		s.Exceeded = s.Exceeded || s.NeverFits || s.RetryAfter > 0 || s.Requested > s.Remaining
		switch {
		case s.NeverFits:
			s.RetryAfter = math.MaxInt64
		case s.Exceeded && s.RetryAfter == 0:
			s.RetryAfter = refill(s.Limit, s.Requested-s.Remaining)
		}
		if s.ResetAfter == 0 {
			s.ResetAfter = refill(s.Limit, s.Limit.Capacity-s.Remaining)
		}
		completed[i] = s
	}
	return engine.NewExceededError(completed...)
}

// refill is how long a limit takes to refill n tokens, rounded up, or the largest Duration where it is longer than that.
func refill(limit engine.Limit, n int64) time.Duration {
	if n <= 0 || limit.RefillAmount <= 0 {
		return 0
	}
	rate := limit.WithBurst(n).Rate()
	return rate.FillTime()
}
