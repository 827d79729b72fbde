package bucket

import (
	"math"
	"math/big"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
)

// clockSlack is by how much of the rate a deficit may exceed the capacity without being debt: so much may be no more
// than clocks that disagree.
const clockSlack = 10_000_000_000 // ns

// Convert carries the state of a limit over to other parameters at instant m (ns since the Unix epoch): the deficit in
// tokens is kept, rounded up by less than a unit of the new rate. With cut, a deficit above the new capacity is cut to
// it unless it was debt (it exceeds the old capacity by more than ten seconds of the old rate). A deficit beyond the
// new capacity and MaxDebt is cut to that.
func Convert(from, to *Rate, a Arrival, m int64, cut bool) Num {
	y := to.Y(m)
	deficit := from.Base(a, from.Y(m)).Sub(from.Y(m))
	if deficit.IsZero() {
		return y
	}
	debt := from.full.Add(num.Mul64(clockSlack, from.perNano)).Less(deficit)
	scaled := rescale(deficit, from.perToken, to.perToken)
	most := to.full.Add(num.Mul64(MaxDebt, to.perToken))
	if cut && !debt {
		most = to.full
	}
	if scaled.Cmp(most.Big()) > 0 {
		return y.Add(most)
	}
	kept, _ := num.FromBig(scaled) // fits: it is at most most
	return y.Add(kept)
}

// WaitConverted is [Rate.Wait] for a bucket that is converted, from one rate to the other, by the very request that takes
// the n tokens: until then it refills at the old rate. cut is as in [Convert].
func WaitConverted(from, to *Rate, a Arrival, now, n int64, cut bool) (time.Duration, bool) {
	if n > to.capacity {
		return math.MaxInt64, false
	}
	most := from.Cost(to.capacity - n) // the largest deficit that admits n
	if debt := from.full.Add(num.Mul64(clockSlack, from.perNano)); n == 0 && cut && most.Less(debt) {
		most = debt // what exceeds the new capacity is cut
	}
	earliest := from.Base(a, from.Y(now)).Sub(most).DivCeil(from.perNano)
	return time.Duration(max(0, earliest.Sub(num.FromInt64(now)).SaturateInt64())), true
}

// rescale is ceil(units · to / from) for positive numbers; the product may have 170 bits.
func rescale(units Num, from, to int64) *big.Int {
	product := new(big.Int).Mul(units.Big(), big.NewInt(to))
	quotient, rest := product.QuoRem(product, big.NewInt(from), new(big.Int))
	if rest.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}
