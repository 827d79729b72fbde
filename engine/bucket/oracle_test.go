package bucket_test

import (
	"math"
	"math/big"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// ideal is one limit as the textbook has it, in exact fractions: full is the instant (ns since the Unix epoch) at which
// the bucket will be full, nil where it is. It knows nothing of units.
type ideal struct {
	bucket.Limit
	full *big.Rat
}

func whole(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

// lasts is how long n tokens take to refill, in ns: n·P/R.
func (b *ideal) lasts(n int64) *big.Rat {
	x := new(big.Rat).SetFrac64(int64(b.RefillPeriod), b.RefillAmount)
	return x.Mul(x, whole(n))
}

// base is the later of now and the instant at which the bucket will be full.
func (b *ideal) base(now int64) *big.Rat {
	if b.full == nil || b.full.Cmp(whole(now)) <= 0 {
		return whole(now)
	}
	return b.full
}

// deficit is what is missing now, in tokens.
func (b *ideal) deficit(now int64) *big.Rat {
	d := new(big.Rat).Sub(b.base(now), whole(now))
	return d.Mul(d, new(big.Rat).SetFrac64(b.RefillAmount, int64(b.RefillPeriod)))
}

// admits tells whether n tokens are there now: the deficit would be no more than the capacity.
func (b *ideal) admits(now, n int64) bool {
	return new(big.Rat).Add(b.deficit(now), whole(n)).Cmp(whole(b.Capacity)) <= 0
}

func (b *ideal) available(now int64) *big.Int {
	d := ceil(b.deficit(now))
	return d.Sub(big.NewInt(b.Capacity), d)
}

// wait is how long until n tokens are there; nil where they never are.
func (b *ideal) wait(now, n int64) *big.Int {
	switch {
	case n > b.Capacity:
		return nil
	case b.admits(now, n):
		return new(big.Int)
	}
	at := new(big.Rat).Add(b.base(now), b.lasts(n-b.Capacity))
	return ceil(at.Sub(at, whole(now)))
}

// converted is the instant at which the bucket will be full under the limit to, changed at m.
func (b *ideal) converted(to *ideal, m int64, cut bool) *big.Rat {
	unit := new(big.Rat).Mul(to.lasts(1), whole(rateOf(to.Limit))) // of time times rate: what a token costs
	deficit := b.deficit(m)
	kept := new(big.Rat).SetInt(ceil(new(big.Rat).Mul(deficit, unit)))
	kept.Quo(kept, unit)
	slack := new(big.Rat).Quo(whole(10_000_000_000), b.lasts(1)) // tokens in ten seconds
	debt := deficit.Cmp(slack.Add(slack, whole(b.Capacity))) > 0
	if most := whole(to.Capacity); cut && !debt && kept.Cmp(most) > 0 {
		kept = most
	}
	if most := whole(to.Capacity + bucket.MaxDebt); kept.Cmp(most) > 0 {
		kept = most
	}
	return kept.Mul(kept, to.lasts(1)).Add(kept, whole(m))
}

// rateOf is the numerator of R/P in lowest terms.
func rateOf(l bucket.Limit) int64 {
	return big.NewRat(l.RefillAmount, int64(l.RefillPeriod)).Num().Int64()
}

func ceil(x *big.Rat) *big.Int {
	q, rest := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int)) // rounds down
	if rest.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// saturated is x, or the int64 nearest to it.
func saturated(x *big.Int) int64 {
	switch {
	case x.IsInt64():
		return x.Int64()
	case x.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// instant is the time that an arrival in units stands for.
func instant(l bucket.Limit, at num.Int) *big.Rat {
	return new(big.Rat).SetFrac(at.Big(), big.NewInt(rateOf(l)))
}
