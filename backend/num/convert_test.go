package num

import (
	"math"
	"math/big"
	"testing"
)

func checkConvert(t failer, a Int) {
	t.Helper()
	x := oracle(a)
	v, ok := a.Int64()
	if ok != x.IsInt64() || ok && v != x.Int64() || !ok && v != 0 {
		t.Errorf("Int64(%v) = %d, %v", x, v, ok)
	}
	want := int64(math.MaxInt64)
	switch {
	case x.IsInt64():
		want = x.Int64()
	case x.Sign() < 0:
		want = math.MinInt64
	}
	if got := a.SaturateInt64(); got != want {
		t.Errorf("SaturateInt64(%v) = %d, want %d", x, got, want)
	}
	ten38 := new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)
	if got := a.Fits38(); got != (x.CmpAbs(ten38) < 0) {
		t.Errorf("Fits38(%v) = %v", x, got)
	}
	if got := a.Big(); got.Cmp(x) != 0 {
		t.Errorf("Big = %v, want %v", got, x)
	}
	if got, ok := FromBig(x); !ok || got != a {
		t.Errorf("FromBig(%v) = %v, %v", x, got, ok)
	}
}

func TestConvertEdges(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		checkConvert(t, e.v)
	}
}

func TestFits38Table(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		digits := len(e.text)
		if e.text[0] == '-' {
			digits--
		}
		if got := e.v.Fits38(); got != (digits <= 38) {
			t.Errorf("Fits38(%s) = %v", e.text, got)
		}
	}
}

func TestFromBigRefuses(t *testing.T) {
	t.Parallel()
	one := big.NewInt(1)
	refused := []*big.Int{nil, two127, two128, new(big.Int).Sub(two128, one), new(big.Int).Lsh(one, 4000)}
	for _, x := range refused {
		if got, ok := FromBig(x); ok || !got.IsZero() {
			t.Errorf("FromBig(%v) = %v, %v", x, got, ok)
		}
		if x == nil {
			continue
		}
		low := new(big.Int).Neg(x)
		if low.Cmp(oracle(minInt)) == 0 {
			low.Sub(low, one)
		}
		if got, ok := FromBig(low); ok || !got.IsZero() {
			t.Errorf("FromBig(%v) = %v, %v", low, got, ok)
		}
	}
}
