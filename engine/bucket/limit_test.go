package bucket_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit bucket.Limit
		fault string // the field, "": none
	}{
		{limit(1, 1, time.Millisecond), ""},
		{limit(bucket.MaxAmount, bucket.MaxAmount, bucket.MaxPeriod), ""},
		{limit(1, bucket.MaxAmount, time.Second), ""}, // capacity below the refill
		{limit(0, 1, time.Second), "Capacity"},
		{limit(-1, 1, time.Second), "Capacity"},
		{limit(bucket.MaxAmount+1, 1, time.Second), "Capacity"},
		{limit(1, 0, time.Second), "RefillAmount"},
		{limit(1, -1, time.Second), "RefillAmount"},
		{limit(1, bucket.MaxAmount+1, time.Second), "RefillAmount"},
		{limit(1, 1, 0), "RefillPeriod"},
		{limit(1, 1, -time.Second), "RefillPeriod"},
		{limit(1, 1, time.Millisecond-1), "RefillPeriod"},
		{limit(1, 1, bucket.MaxPeriod+1), "RefillPeriod"},
	} {
		fault := c.limit.Check()
		if (fault == nil) != (c.fault == "") || fault != nil && (fault.Field != c.fault || fault.Value == "" || fault.Reason == "") {
			t.Errorf("%+v: %+v, want a fault of %q", c.limit, fault, c.fault)
		}
	}
}

func TestWithBurst(t *testing.T) {
	t.Parallel()
	l := limit(5, 5, time.Second)
	if got, want := l.WithBurst(9), limit(9, 5, time.Second); got != want || l.Capacity != 5 {
		t.Errorf("%+v from %+v", got, l)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]bucket.Limit{
		"l:5/s":          limit(5, 5, time.Second),
		"l:100/min":      limit(100, 100, time.Minute),
		"l:100/min:7":    limit(7, 100, time.Minute),
		"l:1/hour":       limit(1, 1, time.Hour),
		"l:1/day":        limit(1, 1, 24*time.Hour),
		"l:1/3650day":    limit(1, 1, bucket.MaxPeriod),
		"l:2/90s:1":      limit(1, 2, 90*time.Second),
		"l:2/1ms:1":      limit(1, 2, time.Millisecond),
		"l:2/1.000003ms": limit(2, 2, 1_000_003),
	} {
		if got := l.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestBounds are the instants between which clocks are believed.
func TestBounds(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64]string{bucket.MinTime: "2020-01-01T00:00:00Z", bucket.MaxTime: "2200-01-01T00:00:00Z", noon: "2026-03-01T12:00:00Z"} {
		if got := time.Unix(0, at).UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%d is %s, want %s", at, got, want)
		}
	}
}
