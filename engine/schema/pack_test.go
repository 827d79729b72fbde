package schema_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

func term(name string, capacity, amount int64, period time.Duration, brought bool) schema.Term {
	return schema.Term{Limit: bucket.Limit{Name: name, Capacity: capacity, RefillAmount: amount, RefillPeriod: period}, Brought: brought}
}

// The packed form is on disk and in every condition: it must not change.
func TestPackGolden(t *testing.T) {
	for _, c := range []struct {
		terms []schema.Term
		want  string
	}{
		{nil, "01"},
		{[]schema.Term{term("rpm", 100, 100, time.Minute, false)}, "01" + "0003" + hex.EncodeToString([]byte("rpm")) + "64" + "64" + "80b09dc2df01"},
		{
			[]schema.Term{term("b", 1, 300, time.Millisecond, true), term("a", 1e15, 1, 3650*24*time.Hour, false)},
			"01" + "0001" + "61" + "80809aa6eaafe301" + "01" + "8080f8c2fcc798b004" + "8001" + "62" + "01" + "ac02" + "c0843d",
		},
	} {
		if got := hex.EncodeToString([]byte(schema.Pack(slices.Clone(c.terms)))); got != c.want {
			t.Errorf("%v\n got %s\nwant %s", c.terms, got, c.want)
		}
	}
}

func terms() *rapid.Generator[[]schema.Term] {
	one := rapid.Custom(func(t *rapid.T) schema.Term {
		return term(rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9_.\-]{0,63}`).Draw(t, "name"),
			rapid.Int64Range(1, bucket.MaxAmount).Draw(t, "capacity"), rapid.Int64Range(1, bucket.MaxAmount).Draw(t, "amount"),
			time.Duration(rapid.Int64Range(int64(bucket.MinPeriod), int64(bucket.MaxPeriod)).Draw(t, "period")), rapid.Bool().Draw(t, "brought"))
	})
	return rapid.SliceOfNDistinct(one, 0, schema.MaxLimits, func(t schema.Term) string { return t.Name })
}

// What was packed comes back by name, and in whatever order it was given it is packed the same.
func TestPackRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := terms().Draw(t, "terms")
		shuffled := rapid.Permutation(given).Draw(t, "shuffled")
		packed := schema.Pack(given)
		if schema.Pack(shuffled) != packed {
			t.Fatal("the order counts")
		}
		got, err := schema.Unpack(packed)
		if err != nil || !slices.Equal(got, given) { // Pack has sorted them
			t.Fatalf("%v: %v", got, err)
		}
		sorted := slices.IsSortedFunc(got, func(a, b schema.Term) int { return strings.Compare(a.Name, b.Name) })
		if !sorted {
			t.Fatalf("%v", got)
		}
	})
}

// Two lists that differ in anything have different values.
func TestPackTellsApart(t *testing.T) {
	base := func() []schema.Term {
		return []schema.Term{term("a", 10, 10, time.Minute, false), term("b", 10, 10, time.Minute, false)}
	}
	seen := map[string]int{schema.Pack(base()): -1}
	for i, change := range []func([]schema.Term) []schema.Term{
		func(x []schema.Term) []schema.Term { return x[:1] },
		func(x []schema.Term) []schema.Term { return x[1:] },
		func(x []schema.Term) []schema.Term { x[0].Name = "c"; return x },
		func(x []schema.Term) []schema.Term { x[0].Capacity++; return x },
		func(x []schema.Term) []schema.Term { x[0].RefillAmount++; return x },
		func(x []schema.Term) []schema.Term { x[0].RefillPeriod++; return x },
		func(x []schema.Term) []schema.Term { x[0].Brought = true; return x },
		func(x []schema.Term) []schema.Term { x[1].Brought = true; return x },
	} {
		packed := schema.Pack(change(base()))
		if other, twice := seen[packed]; twice {
			t.Errorf("changes %d and %d give one value", i, other)
		}
		seen[packed] = i
	}
}

// Whatever was damaged is refused, or reads as some legal list: nothing panics, and nothing illegal comes out.
func TestUnpackDamaged(t *testing.T) {
	whole := schema.Pack([]schema.Term{term("rpm", 100, 100, time.Minute, false), term("tpm", 1e15, 7, time.Hour, true)})
	for i := range len(whole) {
		if got, err := schema.Unpack(whole[:i]); err == nil && len(got) == 2 {
			t.Errorf("the first %d bytes read as %v", i, got)
		}
	}
	one := schema.Pack([]schema.Term{term("rpm", 100, 100, time.Minute, false)})
	for what, packed := range map[string]string{
		"nothing":        "",
		"a later format": "\x02" + one[1:],
		"another kind":   "\x01\x01" + one[2:],
		"another flag":   "\x01\x40" + one[2:],
		"no capacity":    one[:len(one)-8] + "\x00" + one[len(one)-7:],
		"a long number":  "\x01\x00\x01a" + strings.Repeat("\xff", 10) + "\x01",
		"no period":      "\x01\x00\x01a\x01\x01\x00",
		"too many":       "\x01" + strings.Repeat(one[1:], schema.MaxLimits+1),
	} {
		if got, err := schema.Unpack(packed); !errors.Is(err, schema.ErrFormat) {
			t.Errorf("%s reads as %v, %v", what, got, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(schema.Pack(nil))
	f.Add(schema.Pack([]schema.Term{term("rpm", 100, 100, time.Minute, false), term("tpm", 1e15, 7, time.Hour, true)}))
	f.Fuzz(func(t *testing.T, packed string) {
		got, err := schema.Unpack(packed)
		if err != nil {
			if !errors.Is(err, schema.ErrFormat) || got != nil {
				t.Fatalf("%v, %v", got, err)
			}
			return
		}
		for _, one := range got {
			if fault := one.Check(); fault != nil || len(got) > schema.MaxLimits {
				t.Fatalf("%v: %v", one, fault)
			}
		}
	})
}
