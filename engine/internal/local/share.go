package local

import (
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Share is the part of a limit that a local bucket has, in billionths: 1 to Whole.
type Share int64

// Whole is the share of a process that has the limits to itself.
const Whole Share = 1_000_000_000

// ShareOf returns a fraction in (0, 1] as a share: its first nine decimals, so that N processes with the share 1/N have at
// most the whole limit. It returns false for other numbers, and for those below a billionth.
func ShareOf(fraction float64) (Share, bool) {
	if !(fraction > 0 && fraction <= 1) {
		return 0, false
	}
	// The next number above, because 0.3 is a little less than three tenths.
	s := Share(math.Nextafter(fraction*float64(Whole), math.Inf(1)))
	return min(s, Whole), s > 0
}

// Of returns the limits of a local bucket. They stand in the same order.
func (s Share) Of(set *limitset.Set) *limitset.Set {
	terms := make([]schema.Term, len(set.Terms))
	for i, t := range set.Terms {
		t.Limit = s.limit(t.Limit)
		terms[i] = t
	}
	return limitset.New(terms)
}

// limit rounds so that the local bucket admits no more than its share, but for the one token that every limit has.
func (s Share) limit(l bucket.Limit) bucket.Limit {
	l.Capacity = max(1, s.part(l.Capacity))
	longer := num.Mul64(int64(l.RefillPeriod), int64(Whole)).DivCeil(int64(s)).SaturateInt64()
	switch refill := s.part(l.RefillAmount); {
	case longer <= int64(bucket.MaxPeriod):
		l.RefillPeriod = time.Duration(longer)
	case refill > 0:
		l.RefillAmount = refill
	default:
		l.RefillAmount, l.RefillPeriod = 1, bucket.MaxPeriod
	}
	return l
}

// part is the share of n tokens, rounded down.
func (s Share) part(n int64) int64 {
	return num.Mul64(n, int64(s)).DivFloor(int64(Whole)).SaturateInt64()
}
