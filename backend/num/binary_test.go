package num

import (
	"bytes"
	"encoding"
	"errors"
	"testing"
)

var _ encoding.BinaryAppender = Int{}

func checkBinary(t failer, a Int) {
	t.Helper()
	x := oracle(a)
	if x.Sign() < 0 {
		x.Add(x, two128)
	}
	want := append([]byte("x"), x.FillBytes(make([]byte, 16))...)
	got, err := a.AppendBinary([]byte("x"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("AppendBinary(%v) = %x, %v, want %x", a, got, err, want)
	}
	if back, err := FromBinary(got[1:]); err != nil || back != a {
		t.Errorf("FromBinary(%x) = %v, %v, want %v", got[1:], back, err, a)
	}
}

func TestBinaryEdges(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		checkBinary(t, e.v)
	}
}

func TestFromBinaryRefuses(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 8, 15, 17, 32} {
		if got, err := FromBinary(make([]byte, n)); !errors.Is(err, ErrLength) || !got.IsZero() {
			t.Errorf("%d bytes: %v, %v", n, got, err)
		}
	}
}
