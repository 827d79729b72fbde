package conformance

import (
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// expiry proves that a time of expiry is kept exactly, and that no record is dropped before it.
var expiry = cases{
	{"Said", expirySaid},
	{"Committed", expiryCommitted},
	{"Stays", expiryStays},
	{"NewLife", expiryNewLife},
}

// expiryTable has a record's expiry after one write after the other.
var expiryTable = []struct{ say, want backend.Expiry }{
	{backend.KeepExpiry, backend.NoExpiry}, // of a new record
	{future, future},
	{backend.KeepExpiry, future},
	{future + 10, future + 10},
	{future - 10, future - 10}, // sooner: as it was said
	{backend.NoExpiry, backend.NoExpiry},
	{backend.KeepExpiry, backend.NoExpiry},
	{1 << 40, 1 << 40},
}

func expirySaid(s *storeTest) { s.tryExpiry(func(w backend.Write) { s.mustPut(w) }) }

func expiryCommitted(s *storeTest) { s.tryExpiry(func(w backend.Write) { s.mustCommit(w) }) }

func (s *storeTest) tryExpiry(send func(backend.Write)) {
	k := keyOf("k")
	for i, row := range expiryTable {
		send(write(k, set(i), row.say))
		s.wantExpiry(k, fmt.Sprintf("step %d", i), row.want)
	}
	send(write(k, is(backend.Present)))
	s.wantExpiry(k, "after a condition alone", 1<<40)
	s.mustRefuse(write(k, is(backend.Absent), set(0), backend.Expiry(future)))
	s.wantExpiry(k, "after a refusal", 1<<40)
	send(write(keyOf("first"), set(0), backend.Expiry(future)))
	s.wantExpiry(keyOf("first"), "of a new record", future)
}

// wantExpiry compares the expiry alone.
func (s *storeTest) wantExpiry(k backend.Key, what string, want backend.Expiry) {
	s.Helper()
	if got := s.mustRead(k)[0].Expiry(); got != want {
		s.Errorf("%s: the expiry is %d, not %d", what, got, want)
	}
}

// expiryStays has records with all kinds of expiry in the future: they stay, whatever happens to others.
func expiryStays(s *storeTest) {
	var keys []backend.Key
	for i, e := range []backend.Expiry{future, backend.NoExpiry, 1 << 40, backend.KeepExpiry, future + 1} {
		k := keyOf(fmt.Sprint(i))
		keys = append(keys, k)
		s.mustPut(write(k, set(i), e, place(fmt.Sprint(i))))
	}
	s.mustPut(write(keyOf("gone"), set(0), backend.Expiry(1)))
	s.mustPut(write(keyOf("saved"), set(0), backend.Expiry(1)), write(keyOf("saved"), set(0), backend.Expiry(future)))
	for range 20 {
		s.mustPut(write(keyOf("beside"), add(1), backend.Expiry(1)))
		for i, r := range s.mustRead(append(keys, keyOf("saved"))...) {
			if !r.Present() {
				s.Fatalf("record %d was dropped before its time", i)
			}
		}
	}
	var listed []backend.Key
	for _, item := range s.mustList(backend.Query{Namespace: space, Partition: part, Size: 10}) {
		listed = append(listed, item.Key)
	}
	for _, k := range append(keys, keyOf("saved")) {
		if !slices.Contains(listed, k) {
			s.Errorf("%v is not listed before its time", k)
		}
	}
}

// expiryNewLife creates a record again after it was removed: it does not have the former expiry.
func expiryNewLife(s *storeTest) {
	k := keyOf("k")
	s.mustPut(write(k, set(1), backend.Expiry(future)), remove(k), write(k, set(2)))
	s.wantExpiry(k, "after a removal", backend.NoExpiry)
	s.mustPut(write(k, set(1), backend.Expiry(future)))
	s.mustCommit(remove(k))
	s.mustCommit(write(k, set(2)))
	s.wantExpiry(k, "after a committed removal", backend.NoExpiry)
}

// clockless proves that the store's clock decides nothing except when an expired record is dropped.
var clockless = cases{
	{"Past", clocklessPast},
	{"Judged", clocklessJudged},
	{"Backwards", clocklessBackwards},
}

// clocklessPast writes records that expired long ago: each is there as it was written, or was dropped for good.
func clocklessPast(s *storeTest) {
	for i, e := range []backend.Expiry{1, 86_400, 946_684_800, 1_600_000_000} {
		k := keyOf(fmt.Sprint(i))
		s.mustPut(write(k, set(i), e))
		gone := false
		for range 5 {
			r := s.mustRead(k)
			switch got := show(&r[0]); {
			case got == "none":
				gone = true
			case gone || got != fmt.Sprintf("n=%d until %d", i, e):
				s.Errorf("an expired record reads as %s; it had gone before: %v", got, gone)
			}
		}
		s.mustPut(write(k, setText(slotS, "x"), backend.NoExpiry))
		if r := s.mustRead(k); !r[0].Has(slotS) || r[0].Expiry() != backend.NoExpiry {
			s.Errorf("an expired record that was written again reads as %s", show(&r[0]))
		}
	}
}

// clocklessJudged wants an expired record to be present for reads and writes alike.
func clocklessJudged(s *storeTest) {
	for i := range 10 {
		k := keyOf(fmt.Sprint(i))
		s.mustPut(write(k, set(i), backend.Expiry(1)))
		for _, c := range []struct {
			w       backend.Write
			present bool // whether the condition wants the record to be there
		}{{write(k, is(backend.Present)), true}, {write(k, is(backend.Absent)), false}, {write(k, is(backend.Equal, i)), true}} {
			before := s.mustRead(k)[0].Present()
			applied := s.mustApply(c.w).Applied
			after := s.mustRead(k)[0].Present()
			if before == after && applied != (c.present == before) {
				s.Errorf("an expired record reads as there: %v; a condition that wants %v is judged to hold: %v", before, c.present, applied)
			}
			if after && !before {
				s.Errorf("an expired record that was gone came back")
			}
		}
	}
}

// clocklessBackwards writes with times that decrease: the last write counts.
func clocklessBackwards(s *storeTest) {
	k := keyOf("k")
	for i := range 10 {
		e := backend.Expiry(future + 1000 - 100*int64(i))
		s.mustPut(write(k, set(i), e, place(fmt.Sprint(i))))
		s.want(k, fmt.Sprintf("n=%d until %d", i, e))
	}
}
