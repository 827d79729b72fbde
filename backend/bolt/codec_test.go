package bolt

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
)

// awkward is a short string of the bytes that a codec of keys trips over.
func awkward(r *rand.Rand) string {
	text := make([]byte, r.IntN(4))
	for i := range text {
		text[i] = []byte{0, 1, 2, 'a', 'b', 0xFE, 0xFF}[r.IntN(7)]
	}
	return string(text)
}

func TestKeysKeepTheirOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() backend.Key { return backend.Key{Namespace: awkward(r), Partition: awkward(r), Sort: awkward(r)} }
	for range 100_000 {
		a, b := random(), random()
		x, y := appendKey(nil, a), appendKey(nil, b)
		if bytes.Compare(x, y) != a.Compare(b) {
			t.Fatalf("%q and %q have another order as %x and %x", a, b, x, y)
		}
		if back, err := decodeKey(x); err != nil || back != a {
			t.Fatalf("%q comes back as %q, %v", a, back, err)
		}
	}
}

func TestEntriesKeepTheirOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		a, b := backend.Place{Partition: awkward(r), Sort: awkward(r)}, backend.Place{Partition: awkward(r), Sort: awkward(r)}
		k, l := backend.Key{Namespace: "n", Partition: awkward(r), Sort: awkward(r)}, backend.Key{Namespace: "n", Partition: awkward(r), Sort: awkward(r)}
		want := cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Sort, b.Sort), k.Compare(l))
		x := entry(k, a)
		if bytes.Compare(x, entry(l, b)) != want {
			t.Fatalf("%q %q and %q %q have another order", a, k, b, l)
		}
		if key, place, err := decodeEntry(x); err != nil || key != k || place != a {
			t.Fatalf("%q %q comes back as %q %q, %v", k, a, key, place, err)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	layout := backend.NewLayout("n", backend.Field{Name: "n"})
	for bit := range 127 {
		for _, near := range []int64{-1, 0, 1} {
			power := num.FromParts(0, 1<<bit)
			if bit >= 64 {
				power = num.FromParts(1<<(bit-64), 0)
			}
			for _, n := range []backend.Num{power.Add(num.FromInt64(near)), power.Neg().Add(num.FromInt64(near))} {
				var rec, back backend.Record
				rec.Reset(layout)
				back.Reset(layout)
				rec.SetNum(0, n)
				stored := appendFields(nil, &rec)
				if err := decodeFields(stored, &back); err != nil || !back.Equal(&rec) {
					t.Fatalf("%v comes back as %v, %v", n, &back, err)
				}
				if most := 3 + (bit+2+7)/8; len(stored) > most {
					t.Errorf("%v takes %d bytes, not at most %d", n, len(stored), most)
				}
			}
		}
	}
}

// FuzzDecode finds out whether damaged records and keys are anything but records, keys and errors.
func FuzzDecode(f *testing.F) {
	layout := backend.NewLayout("l", backend.Field{Name: "n"}, backend.Field{Name: "b", Kind: backend.Bytes})
	var rec backend.Record
	rec.Reset(layout)
	rec.SetNum(0, num.FromInt64(-300))
	rec.SetText(layout.MustSlot("b"), "text")
	good := appendHead(nil, &head{expiry: 5, due: 5, place: backend.Place{Partition: "p", Sort: "s"}})
	f.Add(appendFields(good, &rec))
	f.Add(appendKey(nil, backend.Key{Namespace: "n", Partition: "p\x00", Sort: "s"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out backend.Record
		out.Reset(layout)
		_ = decodeRecord(b, &out)
		if k, err := decodeKey(b); err == nil && !bytes.Equal(appendKey(nil, k), b) {
			t.Errorf("%x is read as %q, which is not what it says", b, k)
		}
		_, _, _ = decodeEntry(b)
		_, _, _ = decodeChange(b, func(backend.Key) *backend.Layout { return layout })
	})
}
