package pocket_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// TestScale is against math/big.
func TestScale(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		c := rapid.Int64Range(1, math.MaxInt64).Draw(t, "c")
		want := new(big.Int).Mul(big.NewInt(max(0, a)), big.NewInt(max(0, b)))
		want.Quo(want, big.NewInt(c))
		if !want.IsInt64() {
			want.SetInt64(math.MaxInt64)
		}
		if got := pocket.Scale(a, b, c); got != want.Int64() {
			t.Fatalf("%d·%d/%d is %d, want %v", a, b, c, got, want)
		}
	})
}

// TestClockStepsBack: what was handed out by a clock that was ahead does not count for ever, and no pause lasts longer.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Second / 2, time.Hour} {
		s := newStand(t, prefetch, perSecond(10_000, 10*3600))
		s.warm()
		s.now -= int64(step)
		for range 3000 {
			s.now += ms
			if c := s.ask(); c.Verdict == pocket.Denied {
				t.Fatalf("denied after a step of %v", step)
			}
			for len(s.sent) > 0 {
				s.answer(time.Millisecond / 4)
			}
			if handed := s.Handed()[0]; handed > 1600 {
				t.Fatalf("%d handed out in a window, after a step of %v", handed, step)
			}
		}
	}
}

// TestLargeAmounts: sums of the largest requests do not overflow.
func TestLargeAmounts(t *testing.T) {
	t.Parallel()
	const most = 1_000_000_000_000_000
	s := newStand(t, prefetch, perSecond(1, most))
	for range 20_000 {
		s.now += 1000
		s.ask(most)
		for len(s.sent) > 0 {
			s.answer(0)
		}
		if h := s.Handed()[0]; h < 0 || s.Pockets()[0] < 0 {
			t.Fatalf("handed out %d, in the pocket %d", h, s.Pockets()[0])
		}
	}
}
