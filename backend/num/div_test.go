package num

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

func checkDiv(t failer, a Int, d int64) {
	t.Helper()
	x, y := oracle(a), big.NewInt(d)
	// Euclidean division by a positive number is the floor.
	floor, rest := new(big.Int).DivMod(x, y, new(big.Int))
	same(t, "DivFloor", a.DivFloor(d), floor)
	if rest.Sign() != 0 {
		floor.Add(floor, big.NewInt(1))
	}
	same(t, "DivCeil", a.DivCeil(d), floor)
}

func TestDivEdges(t *testing.T) {
	t.Parallel()
	for _, a := range edges {
		for _, d := range edges64 {
			if d > 0 {
				checkDiv(t, a.v, d)
			}
		}
	}
}

func TestDivTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, d, ceil, floor int64 }{
		{7, 2, 4, 3},
		{-7, 2, -3, -4},
		{8, 2, 4, 4},
		{-8, 2, -4, -4},
		{0, 5, 0, 0},
		{1, math.MaxInt64, 1, 0},
		{-1, math.MaxInt64, 0, -1},
		{math.MinInt64, 1, math.MinInt64, math.MinInt64},
	} {
		if got := FromInt64(c.a).DivCeil(c.d); got != FromInt64(c.ceil) {
			t.Errorf("DivCeil(%d, %d) = %v, want %d", c.a, c.d, got, c.ceil)
		}
		if got := FromInt64(c.a).DivFloor(c.d); got != FromInt64(c.floor) {
			t.Errorf("DivFloor(%d, %d) = %v, want %d", c.a, c.d, got, c.floor)
		}
	}
}

func TestDivPanics(t *testing.T) {
	t.Parallel()
	for _, d := range []int64{0, -1, math.MinInt64} {
		for name, f := range map[string]func(Int, int64) Int{"DivCeil": Int.DivCeil, "DivFloor": Int.DivFloor} {
			func() {
				defer func() {
					if err, _ := recover().(error); !errors.Is(err, ErrDivisor) {
						t.Errorf("%s by %d panics with %v", name, d, err)
					}
				}()
				f(maxInt, d)
			}()
		}
	}
}
