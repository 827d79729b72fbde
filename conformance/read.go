package conformance

import (
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// absent proves that an unknown key reads as no record, and that only a write with effects creates one.
var absent = cases{
	{"Unknown", absentUnknown},
	{"Removed", absentRemoved},
	{"ConditionsOnly", absentConditionsOnly},
	{"Refused", absentRefused},
	{"Empty", absentEmpty},
}

func absentUnknown(s *storeTest) {
	s.mustPut(write(keyOf("here"), set(0)))
	near := []backend.Key{
		keyOf("her"), keyOf("here "), keyOf("herd"), {Namespace: space, Partition: "other", Sort: "here"},
	}
	for _, key := range near {
		s.want(key, "none")
	}
	records := s.mustRead(near[0], keyOf("here"), near[1], keyOf("here"))
	for i, want := range []string{"none", "n=0", "none", "n=0"} {
		s.wantRecord(fmt.Sprintf("record %d of four", i), &records[i], want)
	}
	// The caller's record is used again: nothing of its former content may remain.
	r := records[1:2]
	r[0].Reset(layout)
	if err := s.store.Read(s.Context(), near[:1], r); err != nil {
		s.Fatalf("Read: %v", err)
	}
	s.wantRecord("a record used again", &r[0], "none")
}

func absentRemoved(s *storeTest) {
	k := keyOf("k")
	s.mustPut(write(k, set(1), setText(slotS, "x"), backend.Expiry(future), place("p")))
	s.mustPut(remove(k))
	s.want(k, "none")
	s.mustPut(remove(k)) // of nothing: no condition stands against it
	s.want(k, "none")
	s.mustPut(write(k, setText(slotT, "new")))
	s.want(k, `t="new"`) // of the former life, neither fields nor expiry
	s.mustCommit(remove(k))
	s.want(k, "none")
}

func absentConditionsOnly(s *storeTest) {
	k := keyOf("k")
	check := write(k, is(backend.Absent))
	s.mustPut(check)
	s.mustRefuse(write(k, is(backend.Present)))
	s.mustCommit(check)
	s.want(k, "none")
	if items := s.mustList(backend.Query{Namespace: space, Partition: part, Size: 10}); len(items) > 0 {
		s.Errorf("a condition alone has made %v", items)
	}
}

func absentRefused(s *storeTest) {
	k := keyOf("k")
	s.mustRefuse(write(k, is(backend.Present), set(1), place("p"), backend.Expiry(future)))
	s.want(k, "none")
	if err := s.commit(write(k, is(backend.Present), set(1))); err == nil {
		s.Errorf("a commit on an absent record with the condition that it is there: no error")
	}
	s.want(k, "none")
}

func absentEmpty(s *storeTest) {
	s.mustPut(write(keyOf("a"), unset(slotN)))
	s.want(keyOf("a"), "empty")
	s.mustPut(write(keyOf("b"), set(1)), write(keyOf("b"), unset(slotN)))
	s.want(keyOf("b"), "empty")
	s.mustPut(remove(keyOf("b")))
	s.want(keyOf("b"), "none")
}

// roundTrip proves that values come back as they went in.
var roundTrip = cases{
	{"Numbers", roundTripNumbers},
	{"Texts", roundTripTexts},
	{"Bytes", roundTripBytes},
	{"Fields", roundTripFields},
	{"Wide", roundTripWide},
}

// numbers are numbers on which stores fail; all have at most 38 digits.
var numbers = []string{
	"0", "1", "-1", "9", "10", "-10", "100", "255", "256", "-128", "2147483648", "9007199254740993", "-9007199254740993",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "18446744073709551616", "-18446744073709551616", "10000000000000000000000000000000000000",
	"12345678901234567890123456789012345678", "-98765432109876543210987654321098765432", nines, "-" + nines,
}

func roundTripNumbers(s *storeTest) {
	for _, text := range numbers {
		single, both := keyOf("single"), keyOf("both")
		s.mustPut(write(single, setNum(slotN, number(text))))
		s.want(single, "n="+text)
		s.mustCommit(write(both, setNum(slotM, number(text)), setNum(slotN, number(text).Neg())))
		s.want(both, fmt.Sprintf("n=%v m=%s", number(text).Neg(), text))
	}
}

func roundTripTexts(s *storeTest) {
	for i, text := range []string{
		"", " ", "x", "0", "007", "NULL", "null", "\x00", "a\x00b", "\t\r\n", `"'\`, "%2F", "é", "e\u0301", "日本語", "\u2028",
		"\uffff", "\U00010000", "\U0010ffff", "👩‍👩‍👧", strings.Repeat("ä", 30_000),
	} {
		k := keyOf(fmt.Sprint(i))
		s.mustPut(write(k, setText(slotS, text)))
		s.want(k, "s="+quote(text))
		s.mustCommit(write(k, setText(slotS, ""), setText(slotT, text)))
		s.want(k, `s="" t=`+quote(text))
	}
}

func roundTripBytes(s *storeTest) {
	var all strings.Builder
	for b := range 256 {
		all.WriteByte(byte(b))
	}
	for i, raw := range []string{"", "\x00", "\xff", "\xc3\x28", "text", all.String(), strings.Repeat("\x80", 60_000)} {
		k := keyOf(fmt.Sprint(i))
		s.mustPut(write(k, setText(slotB, raw)))
		s.want(k, "b="+quote(raw))
		s.mustCommit(write(k, setText(slotB, raw), set(1)))
		s.want(k, "n=1 b="+quote(raw))
	}
}

// roundTripFields distinguishes missing fields from those that are zero or empty.
func roundTripFields(s *storeTest) {
	for subset := range 32 {
		key := keyOf(fmt.Sprint(subset))
		parts, want := []any{}, []string{}
		for i, f := range []struct {
			effect backend.Effect
			text   string
		}{
			{set(0), "n=0"},
			{setNum(slotM, numOf(0)), "m=0"},
			{setText(slotS, ""), `s=""`},
			{setText(slotT, ""), `t=""`},
			{setText(slotB, ""), `b=""`},
		} {
			if subset>>i&1 == 1 {
				parts, want = append(parts, f.effect), append(want, f.text)
			}
		}
		if subset == 0 {
			parts = append(parts, unset(slotN))
		}
		s.mustPut(write(key, parts...))
		s.want(key, showWords(want, backend.NoExpiry))
	}
}

func roundTripWide(s *storeTest) {
	var fields []backend.Field
	for i := range 48 {
		fields = append(fields, backend.Field{Name: fmt.Sprintf("n%d", i), Kind: backend.Number})
	}
	for i := range 15 {
		fields = append(fields, backend.Field{Name: fmt.Sprintf("s%d", i), Kind: backend.Bytes})
	}
	wide := backend.NewLayout("wide", fields...)
	k, effects, words := backend.Key{Namespace: "wide", Partition: part, Sort: "k"}, []backend.Effect{}, []string{}
	for i, slot := range wide.Slots() {
		if slot.IsNumber() {
			effects = append(effects, setNum(slot, numOf(-i)))
			words = append(words, fmt.Sprintf("n%d=%d", i, -i))
		} else {
			effects = append(effects, setText(slot, fmt.Sprint(i)))
			words = append(words, fmt.Sprintf(`s%d="%d"`, i-48, i))
		}
	}
	s.mustPut(write(k, wide, effects))
	r := s.mustReadAs(wide, k)
	s.wantRecord("a record with all fields that a layout may have", &r[0], showWords(words, backend.NoExpiry))
}
