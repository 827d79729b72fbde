package memory

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// spots are the records that a table finds by a tag.
func (t *table) spots(tag uint32) (records []*record) {
	if len(t.tags) == 0 {
		return nil
	}
	for i := t.start(tag); t.tags[i] != 0; i = t.after(i) {
		if t.tags[i] == tag {
			records = append(records, t.records[i])
		}
	}
	return records
}

// TestTableFindsAll adds and removes at random, with many tags that lie around the table's end or are the same.
func TestTableFindsAll(t *testing.T) {
	type entry struct {
		tag uint32
		r   *record
	}
	random := rand.New(rand.NewPCG(1, 2))
	var tab table
	var there []entry
	for round := range 4_000 {
		if len(there) > 0 && random.IntN(10) < round/400 { // the more come at first, the more go later
			i := random.IntN(len(there))
			e := there[i]
			there = slices.Delete(there, i, i+1)
			tab.remove(tab.find(e.tag, e.r))
		} else {
			e := entry{tagOf(random.Uint64N(1<<16)<<16 | 0xFFFE0000*random.Uint64N(2)), &record{}}
			tab.add(e.tag, e.r)
			there = append(there, e)
		}
		if round%97 > 0 {
			continue
		}
		for _, e := range there {
			if !slices.Contains(tab.spots(e.tag), e.r) {
				t.Fatalf("round %d: a record of %d, with tag %x, is not found", round, len(there), e.tag)
			}
		}
		if tab.count != len(there) {
			t.Fatalf("round %d: %d records counted of %d", round, tab.count, len(there))
		}
	}
}

// TestTableStaysSmall has records come and go, a hundred at a time.
func TestTableStaysSmall(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var tab table
	var records [100]*record
	var tags [100]uint32
	for i := range 100_000 {
		at := i % 100
		if r := records[at]; r != nil {
			tab.remove(tab.find(tags[at], r))
		}
		records[at], tags[at] = &record{}, tagOf(random.Uint64())
		tab.add(tags[at], records[at])
	}
	if len(tab.tags) > 200 {
		t.Errorf("%d spots for 100 records", len(tab.tags))
	}
	left := 0
	for _, r := range tab.records {
		if r != nil {
			left++
		}
	}
	if left != 100 {
		t.Errorf("the table holds on to %d records, 100 are there", left)
	}
}

// TestHomesGoWithTheirRecords has records with sorts of their own come and go.
func TestHomesGoWithTheirRecords(t *testing.T) {
	s, layout := New(nil), backend.NewLayout("counter", backend.Field{Name: "n"})
	out := make([]backend.Outcome, 1)
	apply := func(w backend.Write) {
		if err := s.Apply(t.Context(), []backend.Write{w}, out); err != nil || !out[0].Applied {
			t.Fatal(err, out[0].Applied)
		}
	}
	for i := range 1_000 {
		for _, sort := range []string{"same", strconv.Itoa(i)} {
			k := backend.Key{Namespace: "ns", Partition: strconv.Itoa(i), Sort: sort}
			apply(backend.Write{Key: k, Layout: layout, Effects: []backend.Effect{{Op: backend.Set}}})
		}
		if i >= 10 {
			for _, sort := range []string{"same", strconv.Itoa(i - 10)} {
				k := backend.Key{Namespace: "ns", Partition: strconv.Itoa(i - 10), Sort: sort}
				apply(backend.Write{Key: k, Layout: layout, Remove: true})
			}
		}
	}
	homes, records := 0, 0
	for i := range s.shards {
		sh := &s.shards[i]
		homes += len(sh.groups)
		for _, h := range sh.groups {
			records += h.count
		}
	}
	if homes > 20 || records != 20 {
		t.Errorf("%d homes of %d records are left, 20 records are there", homes, records)
	}
}
