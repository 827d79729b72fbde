package conformance_test

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// This is the store of docs/writing-a-backend.md. TestGuide compares the two, so that what the guide shows compiles and
// keeps the contract.

// store keeps rows in a map, under a lock. Your store has a table and transactions instead.
type store struct {
	lock   sync.Mutex
	closed bool
	rows   map[backend.Key]*row
}

// row is a record at rest. Fields are kept by their names, and numbers as decimal text.
type row struct {
	numbers map[string]string
	texts   map[string]string
	expiry  backend.Expiry
	place   *backend.Place // in your store: two columns with an index
}

// load fills r, whose layout is set, with the record of k. Without a record it leaves r not present.
func (s *store) load(k backend.Key, r *backend.Record) error {
	found := s.rows[k] // SELECT … WHERE key = $1
	if found == nil {
		return nil
	}
	r.SetPresent() // a record may have no field at all
	r.SetExpiry(found.expiry)
	for name, text := range found.numbers {
		slot, known := r.Layout().Slot(name)
		n, err := num.Parse(text)
		if !known || !slot.IsNumber() || err != nil {
			return fmt.Errorf("%w: the record of %v has a field %q that layout %s does not have", backend.ErrInvalid, k, name, r.Layout().Name())
		}
		r.SetNum(slot, n)
	}
	for name, text := range found.texts {
		slot, known := r.Layout().Slot(name)
		if !known || slot.IsNumber() {
			return fmt.Errorf("%w: the record of %v has a field %q that layout %s does not have", backend.ErrInvalid, k, name, r.Layout().Name())
		}
		r.SetText(slot, text)
	}
	return nil
}

// save stores the record of a write, and its place: that of the write, or the one that it had.
func (s *store) save(w *backend.Write, r *backend.Record) {
	if !r.Present() {
		delete(s.rows, w.Key) // DELETE
		return
	}
	next := &row{numbers: map[string]string{}, texts: map[string]string{}, expiry: r.Expiry()}
	if old := s.rows[w.Key]; old != nil {
		next.place = old.place
	}
	if w.Index != nil {
		place := *w.Index // the pointer belongs to the caller
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
	s.rows[w.Key] = next // INSERT … ON CONFLICT DO UPDATE
}

// change checks and applies writes in one transaction, all of them or none. It sets now[i] to the record of writes[i]
// after it. If a write was refused, change returns its index, and now has the record that its conditions were checked on;
// else it returns -1.
func (s *store) change(writes []backend.Write, now []backend.Record) (refused int, err error) {
	s.lock.Lock() // BEGIN
	defer s.lock.Unlock()
	for i := range writes {
		w := &writes[i]
		now[i].Reset(w.Layout)
		if w.Remove && len(w.Conds) == 0 {
			continue // there are no conditions, and a record that cannot be read can be removed, too
		}
		if err := s.load(w.Key, &now[i]); err != nil { // SELECT … FOR UPDATE
			return -1, err // ROLLBACK
		}
		applied, err := backend.CheckAndApply(&now[i], w)
		switch {
		case err != nil:
			return -1, err // ROLLBACK
		case !applied:
			return i, nil // ROLLBACK
		case w.Remove:
			now[i].Reset(w.Layout)
		}
	}
	for i := range writes {
		if w := &writes[i]; w.Remove || len(w.Effects) > 0 {
			s.save(w, &now[i])
		}
	}
	return -1, nil // COMMIT
}

// begin is the first step of every call.
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
	var unreadable backend.UnreadableError
	for i, k := range keys {
		if err := k.Validate(); err != nil {
			return err
		}
		out[i].Reset(out[i].Layout())
		s.lock.Lock()
		err := s.load(k, &out[i])
		s.lock.Unlock()
		if err != nil {
			out[i].Reset(out[i].Layout())
			unreadable.Add(i, err) // the other records are read all the same
		}
	}
	return unreadable.OrNil()
}

func (s *store) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := s.begin(ctx)
	for i := 0; i < len(writes) && err == nil; i++ {
		err = writes[i].Validate()
	}
	if err != nil { // of the whole call: it is in every outcome
		for i := range out {
			out[i].Applied, out[i].Err = false, err
		}
		return err
	}
	now := make([]backend.Record, 1)
	for i := range writes { // one transaction each; a store with a network sends them side by side
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
	for _, item := range s.listing(q) { // … LIMIT size + 1
		if page.More = len(page.Items) == q.Size; page.More {
			break
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// listing returns the items of a query in order, behind q.After. In your store it is one of two statements:
//
//	SELECT … WHERE namespace = $1 AND partition = $2 AND sort >= $3 AND sort < $4 ORDER BY sort
//	SELECT … WHERE namespace = $1 AND place_partition = $2 AND place_sort >= $3 AND … ORDER BY place_sort, partition, sort
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

// Capabilities says what else the store can do. A store that calls CheckAndApply knows the effect AddFrom.
func (s *store) Capabilities() backend.Capabilities { return backend.Capabilities{Max: true} }

func (s *store) Close() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closed = true
	return nil
}

// openStore returns a new, empty store each time: in your test, one with a schema or a file of its own.
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
		rows := map[backend.Key]*row{} // in your test: a database of its own
		return func(testing.TB) backend.Backend { return &store{rows: rows} }
	})
}

// TestGuide compares this file with the guide: every declaration above is in it, and every piece of Go in it is here; and
// the guide has a row for each promise.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "writing-a-backend.md"))
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	var shown string
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(text, -1) {
		shown += string(block[1]) + "\n"
		if piece := words(string(block[1])); !strings.Contains(words(string(here)), piece) {
			t.Errorf("the guide shows what this file does not have:\n%s", block[1])
		}
	}
	tokens := token.NewFileSet()
	file, err := parser.ParseFile(tokens, "guide_test.go", here, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		f, isFunc := d.(*ast.FuncDecl)
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT || isFunc && f.Name.Name == "TestGuide" {
			continue
		}
		source := string(here[tokens.Position(d.Pos()).Offset:tokens.Position(d.End()).Offset])
		if !strings.Contains(words(shown), words(source)) {
			t.Errorf("the guide does not show:\n%s", source)
		}
	}
	promised := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\w+) \|`).FindAllSubmatch(text, -1) {
		promised[string(row[1])] = true
	}
	for _, name := range conformance.Promises() {
		if !promised[name] {
			t.Errorf("the guide's table has no row for %s, only for %v", name, slices.Sorted(maps.Keys(promised)))
		}
	}
}
