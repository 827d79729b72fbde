package num

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var (
	minInt = Int{math.MinInt64, 0}
	maxInt = Int{math.MaxInt64, math.MaxUint64}
	two128 = new(big.Int).Lsh(big.NewInt(1), 128)
	two127 = new(big.Int).Lsh(big.NewInt(1), 127)
)

// edge is a number with its text; the halves are written out by hand.
type edge struct {
	text string
	v    Int
}

var edges = []edge{
	{"-170141183460469231731687303715884105728", Int{math.MinInt64, 0}},
	{"-170141183460469231731687303715884105727", Int{math.MinInt64, 1}},
	{"-100000000000000000000000000000000000001", Int{-5421010862427522171, 17759344522308878335}},
	{"-100000000000000000000000000000000000000", Int{-5421010862427522171, 17759344522308878336}},
	{"-99999999999999999999999999999999999999", Int{-5421010862427522171, 17759344522308878337}},
	{"-18446744073709551617", Int{-2, math.MaxUint64}},
	{"-18446744073709551616", Int{-1, 0}},
	{"-18446744073709551615", Int{-1, 1}},
	{"-10000000000000000000", Int{-1, 8446744073709551616}},
	{"-9223372036854775809", Int{-1, math.MaxInt64}},
	{"-9223372036854775808", Int{-1, 1 << 63}},
	{"-9223372036854775807", Int{-1, 1<<63 + 1}},
	{"-1", Int{-1, math.MaxUint64}},
	{"0", Int{0, 0}},
	{"1", Int{0, 1}},
	{"9223372036854775807", Int{0, math.MaxInt64}},
	{"9223372036854775808", Int{0, 1 << 63}},
	{"9223372036854775809", Int{0, 1<<63 + 1}},
	{"9999999999999999999", Int{0, 9999999999999999999}},
	{"10000000000000000000", Int{0, 10000000000000000000}},
	{"18446744073709551615", Int{0, math.MaxUint64}},
	{"18446744073709551616", Int{1, 0}},
	{"18446744073709551617", Int{1, 1}},
	{"99999999999999999999999999999999999999", Int{5421010862427522170, 687399551400673279}},
	{"100000000000000000000000000000000000000", Int{5421010862427522170, 687399551400673280}},
	{"100000000000000000000000000000000000001", Int{5421010862427522170, 687399551400673281}},
	{"170141183460469231731687303715884105726", Int{math.MaxInt64, math.MaxUint64 - 1}},
	{"170141183460469231731687303715884105727", Int{math.MaxInt64, math.MaxUint64}},
}

// edges64 are the int64 that arithmetic trips over.
var edges64 = []int64{
	math.MinInt64, math.MinInt64 + 1, -1 << 32, -2, -1, 0, 1, 2, 3, 10, 1000, 1 << 32, math.MaxInt64 - 1, math.MaxInt64,
}

// ints draws numbers of every length, and often ones next to an edge.
func ints() *rapid.Generator[Int] {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) Int {
			return Int{rapid.Int64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")}
		}),
		rapid.Custom(func(t *rapid.T) Int { return FromInt64(rapid.Int64().Draw(t, "v")) }),
		rapid.Custom(func(t *rapid.T) Int {
			e := rapid.SampledFrom(edges).Draw(t, "edge")
			return e.v.Add(FromInt64(rapid.Int64Range(-2, 2).Draw(t, "off")))
		}),
	)
}

// int64s draws int64, the edges among them.
func int64s() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64(), rapid.SampledFrom(edges64))
}

// oracle is the value of a, made from its halves without the code under test.
func oracle(a Int) *big.Int {
	x := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return x.Add(x, new(big.Int).SetUint64(a.lo))
}

// fits says whether x is in -2^127 .. 2^127-1.
func fits(x *big.Int) bool {
	return x.Cmp(two127) < 0 && x.Cmp(new(big.Int).Neg(two127)) >= 0
}

// wrap brings x into -2^127 .. 2^127-1 modulo 2^128.
func wrap(x *big.Int) *big.Int {
	x = new(big.Int).Mod(x, two128)
	if x.Cmp(two127) >= 0 {
		x.Sub(x, two128)
	}
	return x
}

type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// same fails unless got is want.
func same(t failer, what string, got Int, want *big.Int) {
	t.Helper()
	if g := oracle(got); g.Cmp(want) != 0 {
		t.Errorf("%s = %v, want %v", what, g, want)
	}
}

func checkArithmetic(t failer, a, b Int) {
	t.Helper()
	x, y := oracle(a), oracle(b)
	sum := new(big.Int).Add(x, y)
	same(t, "Add", a.Add(b), wrap(sum))
	same(t, "Sub", a.Sub(b), wrap(new(big.Int).Sub(x, y)))
	same(t, "Neg", a.Neg(), wrap(new(big.Int).Neg(x)))
	got, ok := a.AddChecked(b)
	same(t, "AddChecked", got, wrap(sum))
	if ok != fits(sum) {
		t.Errorf("AddChecked(%v, %v) says %v, want %v", x, y, ok, fits(sum))
	}
}

func TestArithmeticEdges(t *testing.T) {
	t.Parallel()
	for _, a := range edges {
		for _, b := range edges {
			checkArithmetic(t, a.v, b.v)
		}
	}
}

func TestArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, propArithmetic)
}

func FuzzArithmetic(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(propArithmetic))
}

// propArithmetic is every operation against math/big, on one draw.
func propArithmetic(t *rapid.T) {
	a, b := ints().Draw(t, "a"), ints().Draw(t, "b")
	m, n := int64s().Draw(t, "m"), int64s().Draw(t, "n")
	checkArithmetic(t, a, b)
	checkCompare(t, a, b)
	checkMul(t, m, n)
	if d := m & math.MaxInt64; d > 0 {
		checkDiv(t, a, d)
	}
	checkConvert(t, a)
	checkText(t, a)
	checkBinary(t, a)
}

func checkMul(t failer, a, b int64) {
	t.Helper()
	same(t, "Mul64", Mul64(a, b), new(big.Int).Mul(big.NewInt(a), big.NewInt(b)))
}

func TestMul64Edges(t *testing.T) {
	t.Parallel()
	for _, a := range edges64 {
		for _, b := range edges64 {
			checkMul(t, a, b)
		}
	}
}

// TestProductsAdd is the promise of the package comment: two products add up
// without wrapping, but for the one case named there.
func TestProductsAdd(t *testing.T) {
	t.Parallel()
	most, least := Mul64(math.MinInt64, math.MinInt64), Mul64(math.MinInt64, math.MaxInt64)
	if _, ok := most.AddChecked(Mul64(math.MinInt64, -math.MaxInt64)); !ok {
		t.Error("largest sum but one overflows")
	}
	if _, ok := least.AddChecked(least); !ok {
		t.Error("least sum overflows")
	}
	if _, ok := most.AddChecked(most); ok {
		t.Error("four times the least int64 does not overflow")
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		if hi, lo := e.v.Parts(); hi != e.v.hi || lo != e.v.lo || FromParts(hi, lo) != e.v {
			t.Errorf("%s: Parts = %d, %d", e.text, hi, lo)
		}
	}
	for _, v := range edges64 {
		same(t, "FromInt64", FromInt64(v), big.NewInt(v))
	}
}

func TestNoAllocations(t *testing.T) {
	a, b := Int{-5, 77}, maxInt
	buf := make([]byte, 0, 64)
	var sink Int
	var n int
	for name, f := range map[string]func(){
		"arithmetic": func() { sink = sink.Add(a).Sub(b).Neg().Add(Mul64(-7, int64(sink.lo))) },
		"checked":    func() { sink, _ = a.AddChecked(sink) },
		"compare":    func() { n += a.Cmp(sink) + sink.Sign(); sink = Max(a, Min(sink, b)) },
		"divide":     func() { sink = b.DivCeil(7).Add(a.DivFloor(3)) },
		"convert":    func() { v, _ := a.Int64(); n += int(v) + int(b.SaturateInt64()); _ = a.Fits38() },
		"text":       func() { out, _ := minInt.AppendText(buf); sink, _ = Parse("-12345678901234567890123"); n += len(out) },
		"unmarshal":  func() { out, _ := minInt.AppendText(buf); _ = sink.UnmarshalText(out) },
		"binary":     func() { out, _ := b.AppendBinary(buf); sink, _ = FromBinary(out) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	a, d := Int{}, Int{3, math.MaxUint64}
	for b.Loop() {
		a = a.Add(d)
	}
	if a.IsZero() {
		b.Fatal("sum of nothing")
	}
}

func BenchmarkMulDivCeil(b *testing.B) {
	v := int64(1_000_003)
	for b.Loop() {
		v = Mul64(v, math.MaxInt64).DivCeil(math.MaxInt64 - 1).SaturateInt64()
	}
	if v == 0 {
		b.Fatal("product of nothing")
	}
}
