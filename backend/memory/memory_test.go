package memory_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
)

var counter = backend.NewLayout("counter", backend.Field{Name: "n"}, backend.Field{Name: "m"})

func key(sort string) backend.Key { return backend.Key{Namespace: "ns", Partition: "p", Sort: sort} }

func add(k backend.Key, conds ...backend.Cond) backend.Write {
	return backend.Write{Key: k, Layout: counter, Conds: conds, Effects: []backend.Effect{{Op: backend.Add, Num: backend.Int(1)}}}
}

func remove(k backend.Key) backend.Write { return backend.Write{Key: k, Layout: counter, Remove: true} }

// mustApply sends one write and tells what became of it.
func mustApply(t *testing.T, s backend.Backend, w *backend.Write) *backend.Outcome {
	t.Helper()
	out := make([]backend.Outcome, 1)
	writes := []backend.Write{*w}
	if err := s.Apply(t.Context(), writes, out); err != nil {
		t.Error(err)
	}
	*w = writes[0]
	return &out[0]
}

func mustRead(t *testing.T, s backend.Backend, k backend.Key) int64 {
	t.Helper()
	out := make([]backend.Record, 1)
	out[0].Reset(counter)
	if err := s.Read(t.Context(), []backend.Key{k}, out); err != nil {
		t.Error(err)
	}
	return out[0].Int64(0)
}

func TestMemoOfAnotherKeyIsNotTrusted(t *testing.T) {
	s := memory.New(nil)
	a, b := add(key("a")), add(key("b"))
	mustApply(t, s, &a)
	b.Memo = a.Memo
	mustApply(t, s, &b)
	if n, m := mustRead(t, s, a.Key), mustRead(t, s, b.Key); n != 1 || m != 1 {
		t.Errorf("a = %d, b = %d, each was written once", n, m)
	}
}

// strangers is the memo of a store of another kind.
type strangers struct{ key backend.Key }

func (s strangers) MemoOf() backend.Key { return s.key }

func TestMemoOfAnotherStoreIsNotTrusted(t *testing.T) {
	one, two := memory.New(nil), memory.New(nil)
	w := add(key("a"))
	mustApply(t, one, &w)
	mustApply(t, two, &w)
	if n, m := mustRead(t, one, w.Key), mustRead(t, two, w.Key); n != 1 || m != 1 {
		t.Errorf("%d in one store, %d in the other, each was written once", n, m)
	}
	w.Memo = strangers{w.Key}
	if o := mustApply(t, two, &w); o.Record.Int64(0) != 2 {
		t.Error("a stranger's memo was not overlooked")
	}
}

func TestMemoOfARemovedRecordIsLookedUp(t *testing.T) {
	s := memory.New(nil)
	w, gone := add(key("a")), remove(key("a"))
	mustApply(t, s, &w)
	mustApply(t, s, &gone)
	if o := mustApply(t, s, &w); o.Record.Int64(0) != 1 {
		t.Errorf("a record created again has %d, not 1", o.Record.Int64(0))
	}
	if n := mustRead(t, s, w.Key); n != 1 {
		t.Errorf("%d was written to a record that nobody finds, not 1", n)
	}
}

func TestMemoNeverLosesAWrite(t *testing.T) {
	s := memory.New(nil)
	var added, removed atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			w := add(key("a"))
			for range 5_000 {
				mustApply(t, s, &w)
				added.Add(1)
			}
		})
	}
	for range 2 {
		group.Go(func() {
			w := remove(key("a"))
			for range 1_000 {
				read := mustRead(t, s, w.Key)
				w.Conds = []backend.Cond{{Op: backend.Equal, A: backend.Int(read)}}
				if mustApply(t, s, &w).Applied {
					removed.Add(read)
				}
			}
		})
	}
	group.Wait()
	if left := mustRead(t, s, key("a")); left+removed.Load() != added.Load() {
		t.Errorf("%d left and %d removed of %d", left, removed.Load(), added.Load())
	}
}

// TestReadBesideRemovals reads while the record comes and goes; a Read fills what it is given, whatever is in there.
func TestReadBesideRemovals(t *testing.T) {
	s := memory.New(nil)
	done := make(chan bool)
	go func() {
		defer close(done)
		for range 20_000 {
			w, gone := add(key("a")), remove(key("a"))
			mustApply(t, s, &w)
			mustApply(t, s, &gone)
		}
	}()
	out := make([]backend.Record, 1)
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		out[0].Reset(counter)
		out[0].SetNum(0, backend.Int(-1))
		if err := s.Read(t.Context(), []backend.Key{key("a")}, out); err != nil {
			t.Fatal(err)
		}
		if n, present := out[0].Num(0); present && n != backend.Int(1) {
			t.Fatalf("a record that is 1 or absent reads %v", n)
		}
	}
}

func TestOneCreatorWins(t *testing.T) {
	s := memory.New(nil)
	for round := range 200 {
		var made atomic.Int64
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				w := add(key(fmt.Sprint(round)), backend.Cond{Op: backend.Absent})
				if mustApply(t, s, &w).Applied {
					made.Add(1)
				}
			})
		}
		group.Wait()
		if made.Load() != 1 {
			t.Fatalf("%d made a record that was to be made once", made.Load())
		}
	}
}

// TestNobodyWaitsInACircle has commits over the same records in all orders beside everything else that takes locks.
func TestNobodyWaitsInACircle(t *testing.T) {
	s := memory.New(&memory.Options{Feed: true})
	var group sync.WaitGroup
	var sum atomic.Int64
	for g := range 8 {
		group.Go(func() {
			for i := range 500 {
				var writes []backend.Write
				for j := range 5 {
					w := add(key(fmt.Sprint((g*7 + i*3 + j*(1+g%3)) % 16)))
					w.Index, w.Expiry = &backend.Place{Partition: "i", Sort: fmt.Sprint(i % 5)}, backend.Expiry(1000+i)
					writes = append(writes, w)
				}
				if s.Commit(t.Context(), [16]byte{}, writes) == nil {
					sum.Add(5)
				}
			}
		})
	}
	group.Go(func() {
		for i := range 300 {
			if _, err := s.Sweep(t.Context(), int64(1000+i)-1000); err != nil {
				t.Error(err)
			}
			if _, _, err := s.Scan(t.Context(), "ns", "", 10); err != nil {
				t.Error(err)
			}
			q := backend.Query{Namespace: "ns", Partition: "i", Index: true, Size: 10}
			if _, err := s.List(t.Context(), q); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	total := int64(0)
	for i := range 16 {
		total += mustRead(t, s, key(fmt.Sprint(i)))
	}
	if total != sum.Load() {
		t.Errorf("%d in the records, %d committed", total, sum.Load())
	}
}

func TestFeedIsRefusedWhereNoneIsKept(t *testing.T) {
	_, err := memory.New(nil).Feed(t.Context(), nil, 1, nil)
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "Options.Feed") {
		t.Errorf("got %v, not an ErrInvalid that names the option", err)
	}
}

func TestLayoutOfARecordStays(t *testing.T) {
	s, other := memory.New(nil), backend.NewLayout("other", backend.Field{Name: "n"})
	w := add(key("a"))
	mustApply(t, s, &w)
	w.Layout = other
	out := make([]backend.Outcome, 1)
	if err := s.Apply(t.Context(), []backend.Write{w}, out); !errors.Is(err, backend.ErrInvalid) {
		t.Errorf("Apply: %v", err)
	}
	if err := s.Commit(t.Context(), [16]byte{}, []backend.Write{w}); !errors.Is(err, backend.ErrInvalid) {
		t.Errorf("Commit: %v", err)
	}
	read := make([]backend.Record, 1)
	read[0].Reset(other)
	if err := s.Read(t.Context(), []backend.Key{w.Key}, read); !errors.Is(err, backend.ErrInvalid) {
		t.Errorf("Read: %v", err)
	}
}

// TestOrderIsBuiltBesideWrites lists for the first time while records come, go and move.
func TestOrderIsBuiltBesideWrites(t *testing.T) {
	s := memory.New(nil)
	const each = 2_000
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range each {
				w := add(key(fmt.Sprintf("%d-%05d", g, i)))
				w.Index = &backend.Place{Partition: "i", Sort: fmt.Sprint(i % 7)}
				mustApply(t, s, &w)
				w.Index.Sort = fmt.Sprint(i % 5)
				mustApply(t, s, &w)
				if i%2 == 1 {
					w = remove(w.Key)
					mustApply(t, s, &w)
				}
			}
		})
	}
	group.Go(func() {
		if _, err := s.List(t.Context(), backend.Query{Namespace: "ns", Partition: "p", Size: 10}); err != nil {
			t.Error(err)
		}
	})
	group.Wait()
	for _, index := range []bool{false, true} {
		q := backend.Query{Namespace: "ns", Partition: map[bool]string{false: "p", true: "i"}[index], Index: index, Size: 900}
		count, before := 0, ""
		for more := true; more; {
			page, err := s.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Items {
				at := page.Items[i].Sort + "|" + page.Items[i].Key.Sort
				if at <= before {
					t.Fatalf("%q comes behind %q", at, before)
				}
				before = at
			}
			count += len(page.Items)
			more, q.After = page.More, &page.Items[len(page.Items)-1]
		}
		if count != 4*each/2 {
			t.Errorf("%d listed with index %v, %d are there", count, index, 4*each/2)
		}
	}
}

func TestSweepGoesOnWhereItStopped(t *testing.T) {
	s := memory.New(nil)
	const count = 100_000
	for i := range count {
		w := add(key(fmt.Sprint(i)))
		w.Expiry = backend.Expiry(1 + i%2*1000)
		mustApply(t, s, &w)
	}
	calls, dropped := 0, 0
	for {
		n, err := s.Sweep(t.Context(), 500)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		calls, dropped = calls+1, dropped+n
	}
	if dropped != count/2 || calls < 2 {
		t.Errorf("%d of %d dropped in %d calls", dropped, count/2, calls)
	}
	for dropped < count {
		n, err := s.Sweep(t.Context(), 2_000) // what a sweep has seen and left is not forgotten
		if err != nil || n == 0 {
			t.Fatalf("%d of %d dropped in the end, %v", dropped, count, err)
		}
		dropped += n
	}
}
