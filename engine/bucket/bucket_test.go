package bucket_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

const noon = 1_772_366_400_000_000_000 // 2026-03-01T12:00:00Z

func limit(capacity, amount int64, period time.Duration) bucket.Limit {
	return bucket.Limit{Name: "l", Capacity: capacity, RefillAmount: amount, RefillPeriod: period}
}

// missing is the state in which that many tokens and units are missing at now.
func missing(q *bucket.Rate, now, tokens, units int64) bucket.Arrival {
	return bucket.Arrival{At: q.Y(now).Add(q.Cost(tokens)).Add(num.FromInt64(units)), Seen: true}
}

// TestTable is the gate at its edges, worked out by hand.
func TestTable(t *testing.T) {
	t.Parallel()
	minute, third := limit(100, 100, time.Minute), limit(1, 3, time.Second) // a token each 600 ms; each 333,333,333⅓ ns
	slow := limit(bucket.MaxAmount, 1, bucket.MaxPeriod)
	fast := limit(1, bucket.MaxAmount, bucket.MinPeriod)
	never := time.Duration(math.MaxInt64)
	for _, c := range []struct {
		limit         bucket.Limit
		tokens, units int64 // missing
		n             int64
		available     int64
		wait          time.Duration // 0: admitted
	}{
		{minute, 0, 0, 100, 100, 0},
		{minute, 0, 0, 101, 100, never},
		{minute, 40, 0, 60, 60, 0},
		{minute, 40, 1, 60, 59, 1},
		{minute, 40, 0, 61, 60, 600 * time.Millisecond},
		{minute, 100, 0, 0, 0, 0},
		{minute, 100, 0, 1, 0, 600 * time.Millisecond},
		{minute, 100, 0, 100, 0, time.Minute},
		{minute, 100, 1, 0, -1, 1},
		{minute, 150, 0, 0, -50, 30 * time.Second},
		{minute, 150, 0, 1, -50, 30*time.Second + 600*time.Millisecond},
		{minute, -7, 0, 100, 100, 0},
		{third, 1, 0, 1, 0, 333_333_334},
		{third, 1, -1, 1, 0, 333_333_333},
		{third, 0, 1, 1, 0, 1},
		{slow, 1, 0, bucket.MaxAmount, bucket.MaxAmount - 1, bucket.MaxPeriod},
		{slow, bucket.MaxAmount, 0, bucket.MaxAmount, 0, never - 1}, // 10^15 times ten years: saturated
		{fast, 1, 0, 1, 0, 1},
		{fast, bucket.MaxDebt, 0, 0, 1 - bucket.MaxDebt, 10 * time.Millisecond},
	} {
		q := c.limit.Rate()
		a := missing(&q, noon, c.tokens, c.units)
		what := fmt.Sprintf("%v, %d tokens and %d units missing, %d asked for", c.limit, c.tokens, c.units, c.n)
		if got := q.Available(a, q.Y(noon)); got != c.available {
			t.Errorf("%s: %d available, want %d", what, got, c.available)
		}
		if got := q.Admits(a, q.Y(noon), c.n); got != (c.wait == 0) {
			t.Errorf("%s: admitted %v", what, got)
		}
		wait, fits := q.Wait(a, noon, c.n)
		if saturates := c.wait == never-1; saturates && (wait != never || !fits) || !saturates && (wait != c.wait || fits != (c.wait != never)) {
			t.Errorf("%s: wait %v, %v, want %v", what, wait, fits, c.wait)
		}
	}
}

// TestUnseen is a bucket that nobody has used: it is full, also for a clock that stands anywhere.
func TestUnseen(t *testing.T) {
	t.Parallel()
	for _, now := range []int64{bucket.MinTime, noon, bucket.MaxTime} {
		q := limit(5, 1, time.Hour).Rate()
		y := q.Y(now)
		if !q.IsFull(bucket.Arrival{}, y) || q.Available(bucket.Arrival{}, y) != 5 || !q.Admits(bucket.Arrival{}, y, 5) || q.Admits(bucket.Arrival{}, y, 6) {
			t.Errorf("a bucket never seen is not full at %d", now)
		}
		if q.Base(bucket.Arrival{}, y) != y || q.Base(bucket.Arrival{At: y.Sub(q.Cost(9)), Seen: true}, y) != y {
			t.Errorf("a charge to a full bucket does not begin now")
		}
	}
}

// TestExtremes is the whole range at once: a bucket emptied, filled and emptied again, with nothing rounded.
func TestExtremes(t *testing.T) {
	t.Parallel()
	amounts, prime := []int64{1, 2, bucket.MaxAmount - 1, bucket.MaxAmount}, int64(999_999_999_999_989)
	for _, capacity := range append(amounts, prime) {
		for _, amount := range append(amounts, prime) {
			for _, period := range []time.Duration{bucket.MinPeriod, 1_000_003, time.Minute, bucket.MaxPeriod - 1, bucket.MaxPeriod} {
				for _, now := range []int64{bucket.MinTime, bucket.MaxTime} {
					checkEmptied(t, limit(capacity, amount, period), now)
				}
			}
		}
	}
}

func checkEmptied(t *testing.T, l bucket.Limit, now int64) {
	t.Helper()
	q := l.Rate()
	y := q.Y(now)
	if q.Ceiling(y) != y.Add(q.Cost(l.Capacity)) || !q.Ceiling(y).Fits38() || !q.DebtLimit(y).Fits38() {
		t.Errorf("%v: ceiling %v, debt to %v", l, q.Ceiling(y), q.DebtLimit(y))
	}
	empty := missing(&q, now, l.Capacity, 0)
	if q.Available(empty, y) != 0 || q.Admits(empty, y, 1) || !q.Admits(empty, y, 0) {
		t.Errorf("%v is not empty when %d are missing", l, l.Capacity)
	}
	wait, fits := q.Wait(empty, now, l.Capacity)
	if !fits || wait != q.FillTime() {
		t.Errorf("%v fills in %v, waits for %v, %v", l, q.FillTime(), wait, fits)
	}
	if wait > math.MaxInt64-time.Duration(now) {
		return
	}
	if full := now + int64(wait); q.FullAt(empty.At) != full || !q.IsFull(empty, q.Y(full)) || q.IsFull(empty, q.Y(full-1)) {
		t.Errorf("%v is full at %d, not at %d", l, q.FullAt(empty.At), full)
	}
}

// TestConversions is the table of conversions, worked out by hand.
func TestConversions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		from, to      bucket.Limit
		tokens, units int64 // missing
		cut           bool
		wantTokens    int64
		wantUnits     int64
	}{
		{"full stays full", limit(10, 1, time.Second), limit(99, 7, time.Minute), 0, 0, false, 0, 0},
		{"above full becomes full", limit(10, 1, time.Second), limit(99, 7, time.Minute), -3, 0, false, 0, 0},
		{"raised at once", limit(100, 100, time.Minute), limit(1000, 1000, time.Minute), 100, 0, true, 100, 0},
		{"lowered and cut", limit(100, 100, time.Minute), limit(10, 10, time.Minute), 100, 0, true, 10, 0},
		{"lowered by disagreement", limit(100, 100, time.Minute), limit(10, 10, time.Minute), 100, 0, false, 100, 0},
		{"lowered and in no need of a cut", limit(100, 100, time.Minute), limit(10, 10, time.Minute), 9, 0, true, 9, 0},
		{"skew is no debt", limit(100, 60, time.Minute), limit(10, 60, time.Minute), 110, 0, true, 10, 0},
		{"debt is kept", limit(100, 60, time.Minute), limit(10, 60, time.Minute), 110, 1, true, 110, 1},
		{"half a unit is rounded up", limit(10, 1, 2*time.Second), limit(10, 1, time.Second), 3, 1, true, 3, 1},
		{"a token is a token", limit(10, 3, time.Second), limit(10, 1, time.Millisecond), 3, 0, true, 3, 0},
		{"debt has an end", limit(1, 1, time.Second), limit(1, 1, time.Second), bucket.MaxDebt + 9, 0, false, bucket.MaxDebt + 1, 0},
	} {
		from, to := c.from.Rate(), c.to.Rate()
		got := bucket.Convert(&from, &to, missing(&from, noon, c.tokens, c.units), noon, c.cut)
		if want := missing(&to, noon, c.wantTokens, c.wantUnits); got != want.At {
			t.Errorf("%s: %v is missing, want %v", c.name, got.Sub(to.Y(noon)), want.At.Sub(to.Y(noon)))
		}
	}
	from := limit(10, 1, time.Second).Rate()
	if got := bucket.Convert(&from, &from, bucket.Arrival{}, noon, true); got != from.Y(noon) {
		t.Errorf("a limit never used is converted to %v, not full as of %d", got, int64(noon))
	}
}
