package conformance

import (
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// limits proves that what is too long, too many or invalid is refused before anything is written, and that what is just
// within the limits is not.
var limits = cases{
	{"Keys", limitsKeys},
	{"LongestKeys", limitsLongestKeys},
	{"Writes", limitsWrites},
	{"WithoutMax", limitsWithoutMax},
	{"Commits", limitsCommits},
	{"Queries", limitsQueries},
	{"Sums", limitsSums},
	{"LargestSums", limitsLargestSums},
	{"Records", limitsRecords},
	{"LargestRecords", limitsLargestRecords},
}

// wantRefused sends a write that no store accepts, alone, beside others and in a commit: each returns an error and writes
// nothing.
func (s *storeTest) wantRefused(what string, w backend.Write) {
	s.Helper()
	keys := keysOf("k", "beside")
	s.unchanged(what, keys, func() {
		if err := s.store.Apply(s.Context(), []backend.Write{w}, make([]backend.Outcome, 1)); err == nil {
			s.Errorf("%s: no error", what)
		}
		both := []backend.Write{write(keys[1], add(1)), w}
		if err := s.store.Apply(s.Context(), both, make([]backend.Outcome, 2)); err == nil {
			s.Errorf("%s, beside another write: no error", what)
		}
		if err := s.store.Commit(s.Context(), token(), both); err == nil {
			s.Errorf("%s, in a commit: no error", what)
		}
	})
}

// badKeys are keys that no store accepts.
var badKeys = map[string]backend.Key{
	"no namespace":             {Namespace: "", Partition: part, Sort: "k"},
	"no partition":             {Namespace: space, Partition: "", Sort: "k"},
	"no sort":                  {Namespace: space, Partition: part, Sort: ""},
	"a long namespace":         {Namespace: strings.Repeat("n", backend.MaxNamespace+1), Partition: part, Sort: "k"},
	"a long partition":         {Namespace: space, Partition: strings.Repeat("p", backend.MaxPartition+1), Sort: "k"},
	"a long sort":              {Namespace: space, Partition: part, Sort: strings.Repeat("s", backend.MaxSort+1)},
	"a sort of many bytes":     {Namespace: space, Partition: part, Sort: strings.Repeat("é", backend.MaxSort/2+1)},
	"a namespace not in UTF-8": {Namespace: "\xff", Partition: part, Sort: "k"},
	"a partition not in UTF-8": {Namespace: space, Partition: "a\xc3", Sort: "k"},
	"a sort not in UTF-8":      {Namespace: space, Partition: part, Sort: "\xed\xa0\x80"},
}

func limitsKeys(s *storeTest) {
	for what, k := range badKeys {
		s.wantRefused(what, write(k, set(1)))
		s.wantRefused(what, remove(k))
		r := make([]backend.Record, 2)
		r[0].Reset(layout)
		r[1].Reset(layout)
		if err := s.store.Read(s.Context(), []backend.Key{keyOf("k"), k}, r); err == nil {
			s.Errorf("%s: Read gives no error", what)
		}
		if k.Namespace == space && len(k.Partition)*len(k.Sort) > 0 {
			s.wantRefused(what+", as a place", write(keyOf("k"), set(1), backend.Place{Partition: k.Partition, Sort: k.Sort}))
		}
	}
	s.wantRefused("a place without a partition", write(keyOf("k"), set(1), backend.Place{Sort: "s"}))
	s.wantRefused("a place without a sort", write(keyOf("k"), set(1), backend.Place{Partition: "p"}))
}

// limitsLongestKeys has keys that are just short enough, also for a driver that escapes every byte.
func limitsLongestKeys(s *storeTest) {
	s.namespaces, s.indexes = nil, nil
	for _, c := range []string{"a", "\x00", "%", "\\", "~", "\x7f"} {
		k := backend.Key{
			Namespace: strings.Repeat(c, backend.MaxNamespace), Partition: strings.Repeat(c, backend.MaxPartition),
			Sort: strings.Repeat(c, backend.MaxSort),
		}
		s.mustPut(write(k, set(1), backend.Place{Partition: k.Partition, Sort: k.Sort}))
		s.want(k, "n=1")
		if items := s.mustList(backend.Query{Namespace: k.Namespace, Partition: k.Partition, Size: 1}); len(items) != 1 || items[0].Key != k {
			s.Errorf("the longest key of %q is listed as %v", c, items)
		}
		q := backend.Query{Namespace: k.Namespace, Partition: k.Partition, Index: true, Size: 1}
		s.eventually("the index lists the longest key", func() (any, bool) {
			items := s.mustList(q)
			return items, len(items) == 1 && items[0].Key == k && items[0].Sort == k.Sort
		})
	}
}

// badWrites returns writes that no store accepts.
func badWrites() map[string]backend.Write {
	k, large := keyOf("k"), number(nines).Add(numOf(1))
	return map[string]backend.Write{
		"no layout":                     {Key: k, Effects: []backend.Effect{set(1)}},
		"an empty write":                write(k),
		"a place alone":                 write(k, is(backend.Present), place("p")),
		"an expiry alone":               write(k, is(backend.Present), backend.Expiry(future)),
		"a removal with effects":        {Key: k, Layout: layout, Remove: true, Effects: []backend.Effect{set(1)}},
		"a removal with a place":        {Key: k, Layout: layout, Remove: true, Index: &backend.Place{Partition: "p", Sort: "s"}},
		"a removal with an expiry":      {Key: k, Layout: layout, Remove: true, Expiry: future},
		"an expiry before 1970":         write(k, set(1), backend.Expiry(-2)),
		"an unknown condition":          write(k, is(backend.Between+1), set(1)),
		"no condition":                  write(k, is(0), set(1)),
		"an unknown effect":             write(k, backend.Effect{Slot: slotN, Op: backend.AddFrom + 1}),
		"no effect":                     write(k, backend.Effect{Slot: slotN}),
		"a condition on a strange slot": write(k, backend.Cond{Slot: 9, Op: backend.Present}, set(1)),
		"an effect on a strange slot":   write(k, setNum(9, numOf(1))),
		"an effect on a strange text":   write(k, setText(slotB+1, "x")),
		"between, reversed":             write(k, is(backend.Between, 1, 0), set(1)),
		"order on a text":               write(k, backend.Cond{Slot: slotS, Op: backend.AtMost, Text: "x"}, set(1)),
		"between on bytes":              write(k, backend.Cond{Slot: slotB, Op: backend.Between}, set(1)),
		"two effects on a number":       write(k, set(1), add(1)),
		"two effects on a text":         write(k, setText(slotS, "x"), unset(slotS)),
		"adding to a text":              write(k, backend.Effect{Slot: slotS, Op: backend.Add, Text: "x"}),
		"a condition not in UTF-8":      write(k, backend.Cond{Slot: slotS, Op: backend.Equal, Text: "a\xff"}, set(1)),
		"a condition on a larger text":  write(k, backend.Cond{Slot: slotS, Op: backend.NotEqual, Text: strings.Repeat("x", backend.MaxRecord+1)}, set(1)),
		"setting 39 digits":             write(k, setNum(slotN, large)),
		"adding 39 digits":              write(k, backend.Effect{Slot: slotN, Op: backend.Add, Num: large.Neg()}),
		"a base of 39 digits":           write(k, backend.Effect{Slot: slotN, Op: backend.Add, Num: numOf(1), Base: large}),
		"a bound of 39 digits":          write(k, backend.Cond{Slot: slotN, Op: backend.AtMost, A: large}, set(1)),
		"an upper bound of 39 digits":   write(k, backend.Cond{Slot: slotN, Op: backend.Between, B: large}, set(1)),
		"a text not in UTF-8":           write(k, setText(slotS, "a\xff")),
		"a text larger than any record": write(k, setText(slotS, strings.Repeat("x", backend.MaxRecord+1))),
		"bytes larger than any record":  write(k, setText(slotB, strings.Repeat("\xff", backend.MaxRecord+1))),
	}
}

func limitsWrites(s *storeTest) {
	for what, w := range badWrites() {
		s.wantRefused(what, w)
	}
	s.mustPut(write(keyOf("k"), set(7), setText(slotS, "x")))
	for what, w := range badWrites() {
		s.wantRefused(what+", on a record", w)
	}
}

// limitsWithoutMax has the effect that only stores with Max know; RunMax proves what it does there.
func limitsWithoutMax(s *storeTest) {
	if s.store.Capabilities().Max {
		return
	}
	s.wantRefused("adding to the greater of two", write(keyOf("k"), addFrom("0", "1")))
	s.mustPut(write(keyOf("k"), set(7)))
	s.wantRefused("adding to the greater of two, on a record", write(keyOf("k"), addFrom("0", "1")))
	s.wantRefused("adding to the greater of two, after others", write(keyOf("k"), setText(slotS, "x"), addFrom("9", "1")))
}

func limitsCommits(s *storeTest) {
	var writes []backend.Write
	var keys []backend.Key
	for i := range backend.MaxCommit + 1 {
		keys = append(keys, keyOf(fmt.Sprint(i)))
		writes = append(writes, write(keys[i], set(i)))
	}
	for what, writes := range map[string][]backend.Write{
		"a commit of a hundred and one": writes,
		"an empty commit":               {},
		"two writes on one key":         {write(keys[0], set(1)), write(keys[1], set(1)), write(keys[0], setNum(slotM, numOf(1)))},
		"a check and a write on one":    {write(keys[0], is(backend.Absent)), write(keys[0], set(1))},
	} {
		s.unchanged(what, keys, func() {
			if err := s.store.Commit(s.Context(), token(), writes); err == nil {
				s.Errorf("%s: no error", what)
			}
		})
	}
}

func limitsQueries(s *storeTest) {
	s.mustPut(write(keyOf("k"), set(1)))
	for what, q := range map[string]backend.Query{
		"a page of none":              {Namespace: space, Partition: part},
		"a page of less than none":    {Namespace: space, Partition: part, Size: -1},
		"a page too large":            {Namespace: space, Partition: part, Size: backend.MaxPage + 1},
		"a reversed listing":          {Namespace: space, Partition: part, Size: 1, From: "b", To: "a"},
		"a listing without namespace": {Partition: part, Size: 1},
		"a listing without partition": {Namespace: space, Size: 1},
		"a listing of a long name":    {Namespace: space, Partition: strings.Repeat("p", backend.MaxPartition+1), Size: 1, Index: true},
	} {
		if page, err := s.store.List(s.Context(), q); err == nil {
			s.Errorf("%s: %v and no error", what, page)
		}
	}
}

// limitsSums adds beyond 38 digits: the write returns an error and changes nothing.
func limitsSums(s *storeTest) {
	for _, start := range []string{nines, "-" + nines} {
		k, step := keyOf("k"), backend.Effect{Slot: slotN, Op: backend.Add, Num: number(start)}
		s.mustPut(write(k, setNum(slotN, number(start))))
		for what, w := range map[string]backend.Write{
			"a sum of 39 digits": write(k, step), "a sum of 39 digits beside others": write(k, setText(slotS, "x"), step, setNum(slotM, numOf(1))),
		} {
			s.unchanged(what, keysOf("k", "new"), func() {
				if err := s.store.Apply(s.Context(), []backend.Write{w}, make([]backend.Outcome, 1)); err == nil {
					s.Errorf("%s: no error", what)
				}
				if err := s.store.Commit(s.Context(), token(), []backend.Write{w}); err == nil {
					s.Errorf("%s, in a commit: no error", what)
				}
			})
		}
	}
}

// limitsLargestSums has sums that are just within 38 digits.
func limitsLargestSums(s *storeTest) {
	for _, sign := range []string{"", "-"} {
		k, rest := keyOf("k"+sign), number(sign+nines[:37]+"0")
		s.mustPut(write(k, setNum(slotN, number(sign+"9"))), write(k, backend.Effect{Slot: slotN, Op: backend.Add, Num: rest}),
			write(k, backend.Cond{Slot: slotN, Op: backend.Equal, A: number(sign + nines)}))
		s.mustCommit(write(k, backend.Effect{Slot: slotN, Op: backend.Add, Num: rest.Neg()}))
		s.mustPut(write(k, backend.Cond{Slot: slotN, Op: backend.Equal, A: number(sign + "9")}))
	}
}

// limitsRecords has a write that is too large, and a record that becomes too large by writes within the limits.
func limitsRecords(s *storeTest) {
	k, most := keyOf("k"), strings.Repeat("x", backend.MaxRecord-100)
	s.mustPut(write(k, setText(slotS, most)))
	for what, w := range map[string]backend.Write{
		"a record grew too large": write(k, add(1), setText(slotT, most)), "a record is too large": write(keyOf("new"), setText(slotS, most), setText(slotT, most)),
	} {
		s.unchanged(what, keysOf("k", "new", "beside"), func() {
			if err := s.store.Apply(s.Context(), []backend.Write{w}, make([]backend.Outcome, 1)); err == nil {
				s.Errorf("%s: no error", what)
			}
			if err := s.store.Commit(s.Context(), token(), []backend.Write{write(keyOf("beside"), set(1)), w}); err == nil {
				s.Errorf("%s, in a commit: no error", what)
			}
		})
	}
}

// limitsLargestRecords has records that are just small enough. A new value of a field replaces the size of the old one.
func limitsLargestRecords(s *storeTest) {
	k, most := keyOf("k"), backend.MaxRecord-100
	s.mustPut(write(k, setText(slotS, strings.Repeat("x", most)), set(1)))
	s.want(k, "n=1 s="+quote(strings.Repeat("x", most)))
	s.mustPut(write(k, setText(slotS, strings.Repeat("y", most))))
	s.want(k, "n=1 s="+quote(strings.Repeat("y", most)))
	s.mustCommit(write(k, unset(slotS), setText(slotT, strings.Repeat("z", most))))
	s.want(k, "n=1 t="+quote(strings.Repeat("z", most)))
	s.mustPut(write(k, backend.Effect{Slot: slotT, Op: backend.SetIfAbsent, Text: strings.Repeat("y", most)}, add(1)))
	s.want(k, "n=2 t="+quote(strings.Repeat("z", most)))
}
