package memory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

func TestCutPlaces(t *testing.T) {
	long := strings.Repeat("-", 300)
	for _, c := range []struct {
		text            string
		partition, sort string
		within          bool
	}{
		{"b|e|user|api", "e|user", "api", true},
		{"b|e|user|user", "e|user", "user", true},
		{"b|e|e|e|e", "e|e", "e", true},
		{"abc", "abc", "", true}, // not valid, but there
		{"abab", "ab", "ab", true},
		{"abc", "ab", "bc", false}, // they overlap
		{"b|e|user|api", "e|user", "ap", false},
		{"b|e|user|api", "|entities", "user", false},
		{"api", "e|user", "too long to be in there", false},
		{"b" + long + "|p|s", "p", "s", false},
		{"p" + long + "s", "p", "s", false},
		{long + long, long, long, true},
		{"abc", "", "c", true},
	} {
		want := backend.Place{Partition: c.partition, Sort: c.sort}
		if _, ok := cut(c.text, &want); ok != (c.within && c.partition != "") {
			t.Errorf("%q, %q in %q: %v", c.partition, c.sort, c.text, ok)
		}
		r := &record{partition: c.text}
		r.setPlace(want)
		if got := r.place(); got != want {
			t.Errorf("%q, %q in %q became %q, %q", c.partition, c.sort, c.text, got.Partition, got.Sort)
		}
		if c.within && c.partition != "" && r.apart != nil {
			t.Errorf("%q, %q in %q stands apart", c.partition, c.sort, c.text)
		}
	}
}

// TestRecordsHaveRoom fills records with as many numbers as they were made for.
func TestRecordsHaveRoom(t *testing.T) {
	var fields []backend.Field
	for i := range 20 {
		fields = append(fields, backend.Field{Name: fmt.Sprint(i)})
	}
	layout := backend.NewLayout("twenty", fields...)
	for n := 1; n <= 20; n++ {
		made := testing.AllocsPerRun(10, func() { newRecord(capacity(n)) })
		filled := testing.AllocsPerRun(10, func() {
			r := newRecord(capacity(n))
			r.body.Reset(layout)
			for i := range n {
				r.body.SetNum(backend.Slot(i), backend.Int(1))
			}
		})
		if apart := filled > made; made != 1 || apart != (n > 14) {
			t.Errorf("%d numbers: %v objects, %v when filled", n, made, filled)
		}
	}
}

// TestSparesFit takes records of several sizes in turn: each has the capacity asked for, none comes twice, few are left over.
func TestSparesFit(t *testing.T) {
	var s spares
	taken := map[*record]bool{}
	for i := range 10_000 {
		n := []int{10, 10, 10, 3, 14, 20}[i/7%6]
		r := s.take(n, i)
		if taken[r] {
			t.Fatalf("record %d was taken before", i)
		}
		taken[r] = true
		r.body.Reset(nil)
		allocs := testing.AllocsPerRun(1, func() {
			body := r.body
			body.SetNum(backend.Slot(n-1), backend.Int(1))
		})
		if allocs > 0 && n < 20 {
			t.Fatalf("record %d has no capacity for %d numbers", i, n)
		}
		if spare := len(s.records); spare > sparesMost || spare > i/16 {
			t.Fatalf("%d records are spare beside %d", spare, i)
		}
	}
}
