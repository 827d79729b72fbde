package num

import "testing"

func checkCompare(t failer, a, b Int) {
	t.Helper()
	x, y := oracle(a), oracle(b)
	want := x.Cmp(y)
	if got := a.Cmp(b); got != want {
		t.Errorf("Cmp(%v, %v) = %d, want %d", x, y, got, want)
	}
	if a.Less(b) != (want < 0) || a.LessEq(b) != (want <= 0) || (a == b) != (want == 0) {
		t.Errorf("Less(%v, %v) = %v, LessEq %v, == %v", x, y, a.Less(b), a.LessEq(b), a == b)
	}
	if a.Sign() != x.Sign() || a.IsZero() != (x.Sign() == 0) {
		t.Errorf("Sign(%v) = %d, IsZero %v", x, a.Sign(), a.IsZero())
	}
	least, most := a, b
	if want > 0 {
		least, most = b, a
	}
	if Min(a, b) != least || Max(a, b) != most {
		t.Errorf("Min(%v, %v) = %v, Max %v", x, y, Min(a, b), Max(a, b))
	}
}

func TestCompareEdges(t *testing.T) {
	t.Parallel()
	for i, a := range edges {
		for j, b := range edges {
			checkCompare(t, a.v, b.v)
			if a.v.Less(b.v) != (i < j) {
				t.Errorf("Less(%s, %s) = %v", a.text, b.text, i >= j)
			}
		}
	}
}
