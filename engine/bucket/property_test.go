package bucket_test

import (
	"math"
	"math/big"
	"math/bits"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// amounts are tokens of every magnitude, often at an edge, and primes so that nothing cancels.
func amounts(least int64) *rapid.Generator[int64] {
	const most = bucket.MaxAmount
	edges := []int64{1, 2, 3, 7, 60, 1000, 1_000_003, 999_999_999_989, 999_999_999_999_989, most - 1, most}
	if least < 1 {
		edges = append(edges, 0)
	}
	return rapid.OneOf(rapid.SampledFrom(edges), magnitudes(least, most))
}

// magnitudes draws the length of a number before the number, so that small ones are as frequent as large ones.
func magnitudes(least, most int64) *rapid.Generator[int64] {
	return rapid.Custom(func(t *rapid.T) int64 {
		length := rapid.IntRange(0, bits.Len64(uint64(most))).Draw(t, "length")
		return min(max(rapid.Int64Range(0, 1<<length-1).Draw(t, "number"), least), most)
	})
}

func periods() *rapid.Generator[time.Duration] {
	edges := []time.Duration{
		bucket.MinPeriod, bucket.MinPeriod + 1, time.Second, time.Minute, time.Hour, 24 * time.Hour,
		1_000_003, 999_999_999_989, 315_359_999_999_999_989, bucket.MaxPeriod - 1, bucket.MaxPeriod,
	}
	whole := rapid.Map(magnitudes(int64(bucket.MinPeriod), int64(bucket.MaxPeriod)), func(n int64) time.Duration { return time.Duration(n) })
	return rapid.OneOf(rapid.SampledFrom(edges), whole)
}

func limits() *rapid.Generator[bucket.Limit] {
	return rapid.Custom(func(t *rapid.T) bucket.Limit {
		return bucket.Limit{
			Name:     "l",
			Capacity: amounts(1).Draw(t, "C"), RefillAmount: amounts(1).Draw(t, "R"), RefillPeriod: periods().Draw(t, "P"),
		}
	})
}

func times() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.SampledFrom([]int64{bucket.MinTime, bucket.MinTime + 1, 1_772_366_400_000_000_000, 1_772_366_400_000_000_007, bucket.MaxTime - 1, bucket.MaxTime}),
		rapid.Int64Range(bucket.MinTime, bucket.MaxTime))
}

// arrivals draws states of a limit around now: never seen, long full, at the borders between admission, denial and
// debt (give or take a few units), and as far in debt or below zero as charges by force and refunds lead.
func arrivals(q *bucket.Rate, now int64) *rapid.Generator[bucket.Arrival] {
	return rapid.Custom(func(t *rapid.T) bucket.Arrival {
		y := q.Y(now)
		tokens := rapid.OneOf(amounts(0), rapid.Just(q.Capacity()), rapid.Just(q.Capacity()-1), rapid.Just[int64](bucket.MaxDebt)).Draw(t, "missing")
		at := y.Add(q.Cost(tokens))
		switch rapid.IntRange(0, 6).Draw(t, "state") {
		case 0:
			return bucket.Arrival{}
		case 1:
			at = y.Sub(q.Cost(tokens))
		case 2:
			at = q.DebtLimit(y)
		case 3: // left by a clock that is elsewhere
			at = q.Y(times().Draw(t, "elsewhere")).Add(q.Cost(tokens))
		case 4:
			at = num.FromInt64(rapid.Int64().Draw(t, "tiny"))
		}
		return bucket.Arrival{At: at.Add(num.FromInt64(rapid.Int64Range(-3, 3).Draw(t, "units"))), Seen: true}
	})
}

func TestRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, propRate)
}

func FuzzRate(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propRate)) }

// propRate is everything that a rate tells, against the ideal bucket, for one state.
func propRate(t *rapid.T) {
	limit, now := limits().Draw(t, "limit"), times().Draw(t, "now")
	if fault := limit.Check(); fault != nil {
		t.Fatalf("illegal: %v", *fault)
	}
	q := limit.Rate()
	a := arrivals(&q, now).Draw(t, "arrival")
	n := rapid.OneOf(amounts(0), rapid.Just(limit.Capacity), rapid.Just(limit.Capacity+1)).Draw(t, "n")
	b := &ideal{Limit: limit}
	if a.Seen {
		b.full = instant(limit, a.At)
	}
	checkUnits(t, &q, limit, now, n)
	checkGate(t, &q, a, b, now, n)
	checkWait(t, &q, a, b, now, n)
	checkPassage(t, &q, a, now, times().Draw(t, "later"))
	checkCharge(t, &q, a, now, n)
}

// checkUnits holds the units against the time that they stand for.
func checkUnits(t *rapid.T, q *bucket.Rate, limit bucket.Limit, now, n int64) {
	y, b := q.Y(now), &ideal{Limit: limit}
	equal(t, "Capacity", whole(q.Capacity()), whole(limit.Capacity))
	equal(t, "Y", instant(limit, y), whole(now))
	equal(t, "Cost", instant(limit, q.Cost(n)), b.lasts(n))
	equal(t, "Ceiling", instant(limit, q.Ceiling(y)), later(now, b.lasts(limit.Capacity)))
	debt := later(now, b.lasts(limit.Capacity+bucket.MaxDebt))
	equal(t, "DebtLimit", instant(limit, q.DebtLimit(y)), debt.Add(debt, whole(int64(10*time.Second))))
	if got, want := int64(q.FillTime()), saturated(ceil(b.lasts(limit.Capacity))); got != want {
		t.Fatalf("FillTime = %d, want %d", got, want)
	}
	// Every number that is written, as a value or as a bound, has room: 113 bits within admission, 114 in debt.
	fits(t, "a bound of admission", 113, y.Add(num.FromInt64(1)), q.Ceiling(y), q.Ceiling(y).Sub(q.Cost(min(n, limit.Capacity))), y.Add(q.Cost(n)))
	fits(t, "debt", 114, q.DebtLimit(y), q.DebtLimit(y).Sub(q.Cost(n)))
	fits(t, "a refund", 113, q.Cost(bucket.MaxDebt).Neg(), q.Ceiling(y).Sub(q.Cost(bucket.MaxDebt)))
}

func later(now int64, d *big.Rat) *big.Rat { return d.Add(d, whole(now)) }

func fits(t *rapid.T, what string, most int, numbers ...num.Int) {
	for _, n := range numbers {
		if n.Big().BitLen() > most || !n.Fits38() {
			t.Fatalf("%s: %v has %d bits, at most %d", what, n, n.Big().BitLen(), most)
		}
	}
}

func equal(t *rapid.T, what string, got, want *big.Rat) {
	if got.Cmp(want) != 0 {
		t.Fatalf("%s = %v, want %v", what, got, want)
	}
}

// checkGate compares the decision, and what it is made of.
func checkGate(t *rapid.T, q *bucket.Rate, a bucket.Arrival, b *ideal, now, n int64) {
	y := q.Y(now)
	if got, want := q.IsFull(a, y), b.full == nil || b.full.Cmp(whole(now)) <= 0; got != want {
		t.Fatalf("IsFull = %v, want %v", got, want)
	}
	equal(t, "Base", instant(b.Limit, q.Base(a, y)), b.base(now))
	if got, want := q.Admits(a, y, n), b.admits(now, n); got != want {
		t.Fatalf("Admits(%d) = %v, want %v", n, got, want)
	}
	if got, want := q.Available(a, y), saturated(b.available(now)); got != want {
		t.Fatalf("Available = %d, want %d", got, want)
	}
	if a.Seen {
		if got, want := q.FullAt(a.At), saturated(ceil(b.full)); got != want {
			t.Fatalf("FullAt = %d, want %d", got, want)
		}
	}
}

// checkWait demands the very first nanosecond at which the request is admitted.
func checkWait(t *rapid.T, q *bucket.Rate, a bucket.Arrival, b *ideal, now, n int64) {
	got, fits := q.Wait(a, now, n)
	want := b.wait(now, n)
	if want == nil {
		if fits || got != math.MaxInt64 {
			t.Fatalf("Wait = %d, %v for more than the capacity", got, fits)
		}
		return
	}
	if !fits || int64(got) != saturated(want) {
		t.Fatalf("Wait = %d, %v, want %v", got, fits, want)
	}
	if got == 0 || int64(got) > math.MaxInt64-now {
		return
	}
	then := now + int64(got)
	if !q.Admits(a, q.Y(then), n) || q.Admits(a, q.Y(then-1), n) {
		t.Fatalf("Wait = %d is not the first instant of admission", got)
	}
}

// checkPassage demands that time only helps, up to the capacity.
func checkPassage(t *rapid.T, q *bucket.Rate, a bucket.Arrival, now, other int64) {
	first, second := min(now, other), max(now, other)
	before, after := q.Available(a, q.Y(first)), q.Available(a, q.Y(second))
	if before > after || after > q.Capacity() {
		t.Fatalf("%d available, then %d, of %d", before, after, q.Capacity())
	}
}

// checkCharge demands that a charge takes what it says, that the gate leads into no debt, and that a refund undoes it.
func checkCharge(t *rapid.T, q *bucket.Rate, a bucket.Arrival, now, n int64) {
	y := q.Y(now)
	had, admitted := q.Available(a, y), q.Admits(a, y, n)
	after := bucket.Arrival{At: q.Base(a, y).Add(q.Cost(n)), Seen: true}
	has := q.Available(after, y)
	if had > math.MinInt64+n && has != had-n {
		t.Fatalf("%d available, %d after a charge of %d", had, has, n)
	}
	if admitted != (has >= 0) {
		t.Fatalf("admitted: %v; %d available then", admitted, has)
	}
	if admitted && q.Ceiling(y).Less(after.At) {
		t.Fatalf("admission leads to %v, above %v", after.At, q.Ceiling(y))
	}
	back := bucket.Arrival{At: after.At.Sub(q.Cost(n)), Seen: true}
	if got := q.Available(back, y); got != had {
		t.Fatalf("%d available, %d after a charge and its refund", had, got)
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	rapid.Check(t, propConvert)
}

func FuzzConvert(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propConvert)) }

// propConvert is a conversion against the ideal bucket.
func propConvert(t *rapid.T) {
	was, will, m := limits().Draw(t, "from"), limits().Draw(t, "to"), times().Draw(t, "m")
	from, to := was.Rate(), will.Rate()
	a, cut := arrivals(&from, m).Draw(t, "arrival"), rapid.Bool().Draw(t, "cut")
	b, wanted := &ideal{Limit: was}, &ideal{Limit: will}
	if a.Seen {
		b.full = instant(was, a.At)
	}
	got := bucket.Convert(&from, &to, a, m, cut)
	wanted.full = b.converted(wanted, m, cut)
	equal(t, "Convert", instant(will, got), wanted.full)
	fits(t, "converted", 114, got)
	after, y := bucket.Arrival{At: got, Seen: true}, to.Y(m)
	if got.Less(y) {
		t.Fatalf("%v is below the instant of conversion %v", got, y)
	}
	// Nothing is given but by a cut: what is missing is no less, and no more than a unit above what was.
	before, missing := b.deficit(m), wanted.deficit(m)
	if most := whole(will.Capacity); missing.Cmp(before) < 0 && missing.Cmp(most) < 0 {
		t.Fatalf("%v tokens were missing, %v are", before, missing)
	}
	if was == will && before.Cmp(whole(was.Capacity)) <= 0 && from.Available(a, from.Y(m)) != to.Available(after, y) {
		t.Fatalf("converting to the same changes what is available")
	}
}
