package conformance_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// Here is the store of docs/writing-a-backend.md, so that what the guide shows compiles and keeps the contract.

type store struct {
	lock   sync.Mutex // in your store: a transaction
	closed bool
	rows   map[backend.Key]*row // in your store: a table
}

// row is a record at rest: fields by their names, numbers as decimal text.
type row struct {
	numbers map[string]string
	texts   map[string]string
	expiry  backend.Expiry
	place   *backend.Place // in your store: two columns with an index of their own
}

// load fills r, which is empty, with the record of k, if there is one.
func (s *store) load(k backend.Key, r *backend.Record) error {
	found := s.rows[k]
	if found == nil {
		return nil
	}
	r.SetPresent() // a record may have no field at all
	r.SetExpiry(found.expiry)
	for name, text := range found.numbers {
		slot, known := r.Layout().Slot(name)
		var n backend.Num
		if !known || n.UnmarshalText([]byte(text)) != nil {
			return fmt.Errorf("%w: field %q of %v", backend.ErrInvalid, name, k)
		}
		r.SetNum(slot, n)
	}
	for name, text := range found.texts {
		slot, known := r.Layout().Slot(name)
		if !known {
			return fmt.Errorf("%w: field %q of %v", backend.ErrInvalid, name, k)
		}
		r.SetText(slot, text)
	}
	return nil
}

// save writes what the record is now, and its place: a new one, or the one it had.
func (s *store) save(w *backend.Write, r *backend.Record) {
	if !r.Present() {
		delete(s.rows, w.Key)
		return
	}
	next := &row{numbers: map[string]string{}, texts: map[string]string{}, expiry: r.Expiry()}
	if old := s.rows[w.Key]; old != nil {
		next.place = old.place
	}
	if w.Index != nil {
		place := *w.Index // the pointer is the caller's
		next.place = &place
	}
	for _, slot := range r.Layout().Slots() {
		name := r.Layout().Field(slot).Name
		if n, ok := r.Num(slot); slot.IsNumber() && ok {
			next.numbers[name] = n.String()
		} else if text, ok := r.Text(slot); !slot.IsNumber() && ok {
			next.texts[name] = text
		}
	}
	s.rows[w.Key] = next
}

// change judges writes and carries them out, all or none, in one transaction. now[i] is the record as it is then. The
// index of a write that was refused comes back, its record as it stood in now; -1 if none was.
func (s *store) change(writes []backend.Write, now []backend.Record) (refused int, err error) {
	s.lock.Lock() // BEGIN
	defer s.lock.Unlock()
	for i := range writes {
		w := &writes[i]
		now[i].Reset(w.Layout)
		if w.Remove && len(w.Conds) == 0 {
			continue // there is nothing to judge, and what cannot be read can go, too
		}
		if err := s.load(w.Key, &now[i]); err != nil { // SELECT … FOR UPDATE
			return -1, err
		}
		if !backend.Check(&now[i], w) {
			return i, nil // ROLLBACK
		}
		if w.Remove {
			now[i].Reset(w.Layout)
		} else if err := backend.Apply(&now[i], w); err != nil {
			return -1, err // ROLLBACK
		}
	}
	for i := range writes {
		if w := &writes[i]; w.Remove || len(w.Effects) > 0 {
			s.save(w, &now[i]) // INSERT, UPDATE or DELETE
		}
	}
	return -1, nil // COMMIT
}

// begin is what every call does first.
func (s *store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.closed {
		return backend.ErrClosed
	}
	return nil
}

func (s *store) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	var odd backend.UnreadableError
	for i, k := range keys {
		if err := k.Validate(); err != nil {
			return err
		}
		s.lock.Lock()
		err := s.load(k, &out[i])
		s.lock.Unlock()
		if err != nil {
			odd.Add(i, err) // it keeps no other back
		}
	}
	return odd.OrNil()
}

func (s *store) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := s.begin(ctx)
	for i := 0; i < len(writes) && err == nil; i++ {
		err = writes[i].Validate()
	}
	if err != nil { // of the whole call: it stands in every outcome
		for i := range out {
			out[i].Applied, out[i].Err = false, err
		}
		return err
	}
	now := make([]backend.Record, 1)
	for i := range writes { // each on its own; a store with a network sends them side by side
		refused, failed := s.change(writes[i:i+1], now)
		out[i].Applied, out[i].Err = failed == nil && refused < 0, failed
		out[i].Record.CopyFrom(&now[0])
		if err == nil {
			err = failed
		}
	}
	return err
}

func (s *store) Commit(ctx context.Context, _ [16]byte, writes []backend.Write) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := backend.ValidateCommit(writes); err != nil {
		return err
	}
	now := make([]backend.Record, len(writes))
	refused, err := s.change(writes, now)
	if err == nil && refused >= 0 {
		err = &backend.ConflictError{Index: refused, Key: writes[refused].Key, Record: now[refused]}
	}
	return err
}

func (s *store) List(ctx context.Context, q backend.Query) (page backend.Keys, err error) {
	if err := s.begin(ctx); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, err
	}
	for _, item := range s.listing(q) { // SELECT … ORDER BY sort, key LIMIT size + 1
		if page.More = len(page.Items) == q.Size; page.More {
			break
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// listing is what q asks for, from q.After on.
func (s *store) listing(q backend.Query) []backend.Item {
	order := func(a, b backend.Item) int {
		by := cmp.Or(cmp.Compare(a.Sort, b.Sort), a.Key.Compare(b.Key))
		if q.Reverse {
			return -by
		}
		return by
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	var items []backend.Item
	for k, r := range s.rows {
		item, partition := backend.Item{Key: k, Sort: k.Sort}, k.Partition
		if q.Index {
			if r.place == nil {
				continue
			}
			item.Sort, partition = r.place.Sort, r.place.Partition
		}
		inside := item.Sort >= q.From && (q.To == "" || item.Sort < q.To)
		if k.Namespace == q.Namespace && partition == q.Partition && inside && (q.After == nil || order(item, *q.After) > 0) {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, order)
	return items
}

// Capabilities says what else the store can do. One that calls Enact knows the effect AddFrom.
func (s *store) Capabilities() backend.Capabilities { return backend.Capabilities{Max: true} }

func (s *store) Close() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closed = true
	return nil
}

func openStore(testing.TB) backend.Backend {
	return &store{rows: map[backend.Key]*row{}}
}

func TestConformance(t *testing.T) { conformance.Run(t, openStore) }
func TestMax(t *testing.T)         { conformance.RunMax(t, openStore) }
func TestModel(t *testing.T)       { conformance.RunModel(t, openStore) }
func TestEngine(t *testing.T)      { conformance.RunEngine(t, openStore) }
func FuzzModel(f *testing.F)       { conformance.Fuzz(f, openStore) }
func BenchmarkStore(b *testing.B)  { conformance.Benchmark(b, openStore) }

func TestDurable(t *testing.T) {
	conformance.RunDurable(t, func(testing.TB) conformance.Open {
		rows := map[backend.Key]*row{} // in your test: a database of this name
		return func(testing.TB) backend.Backend { return &store{rows: rows} }
	})
}

// TestGuide wants every piece of Go in the guide to be in this file, word for word, and what it says of the packages
// to be there.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "docs", "writing-a-backend.md"))
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	words := func(text []byte) string { return strings.Join(strings.Fields(string(text)), " ") }
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(guide, -1)
	if len(blocks) < 5 {
		t.Errorf("the guide has %d pieces of Go", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(words(here), words(block[1])) {
			t.Errorf("the guide shows what nobody compiles:\n%s", block[1])
		}
	}
	promised := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\w+) \|`).FindAllSubmatch(guide, -1) {
		promised[string(row[1])] = true
	}
	for _, name := range conformance.Promises() {
		if !promised[name] {
			t.Errorf("the guide's table has no row for %s, only for %v", name, slices.Sorted(maps.Keys(promised)))
		}
	}
}
