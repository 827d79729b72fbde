package bolt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

var counter = backend.NewLayout("counter", backend.Field{Name: "n"}, backend.Field{Name: "m"})

func key(sort string) backend.Key { return backend.Key{Namespace: "ns", Partition: "p", Sort: sort} }

func add(k backend.Key, conds ...backend.Cond) backend.Write {
	one, _ := decodeNum([]byte{1}), 0
	return backend.Write{Key: k, Layout: counter, Conds: conds, Effects: []backend.Effect{{Op: backend.Add, Num: one}}}
}

func mustOpenStore(t *testing.T, o *Options) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestLeaverKeepsItsMemory has a caller change all that it gave while the leader works on the write. It proves
// something under the race detector.
func TestLeaverKeepsItsMemory(t *testing.T) { synctest.Test(t, leaverKeepsItsMemory) }

func leaverKeepsItsMemory(t *testing.T) {
	s := mustOpenStore(t, &Options{NoSync: true})
	commit, arrived, through := s.queue.commit, make(chan bool), make(chan bool)
	s.queue.commit = func(batch []*request) {
		arrived <- true
		commit(batch)
		<-through
	}
	send := func(ctx context.Context, w []backend.Write, out []backend.Outcome) chan error {
		done := make(chan error, 1)
		go func() { done <- s.Apply(ctx, w, out) }()
		return done
	}
	first := send(t.Context(), []backend.Write{add(key("first"))}, make([]backend.Outcome, 1))
	<-arrived
	lead := send(t.Context(), []backend.Write{add(key("lead"))}, make([]backend.Outcome, 1))
	synctest.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	w, out := add(key("left"), backend.Cond{Op: backend.Absent}), make([]backend.Outcome, 1)
	w.Index = &backend.Place{Partition: "i", Sort: "s"}
	left := send(ctx, []backend.Write{w}, out)
	synctest.Wait()
	through <- true
	<-arrived
	cancel()
	if err := <-left; !errors.Is(err, backend.ErrOutcomeUnknown) || !errors.Is(out[0].Err, backend.ErrOutcomeUnknown) {
		t.Errorf("got %v and %v", err, out[0].Err)
	}
	w.Effects[0].Num, w.Conds[0].Op, w.Index.Sort = backend.Num{}, backend.Present, "another"
	out[0].Record.Reset(counter)
	through <- true
	if err := errors.Join(<-first, <-lead); err != nil {
		t.Error(err)
	}
	read := make([]backend.Record, 1)
	read[0].Reset(counter)
	if err := s.Read(t.Context(), []backend.Key{w.Key}, read); err != nil || read[0].Int64(0) != 1 {
		t.Errorf("what was left in the batch reads %d, %v", read[0].Int64(0), err)
	}
	go func() { // for Close, which commits too
		<-arrived
		through <- true
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// lastTransaction is the number of the last one that was committed.
func lastTransaction(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWhatChangesNothingIsNotCommitted(t *testing.T) {
	s := mustOpenStore(t, &Options{Feed: true})
	w := add(key("a"))
	w.Expiry, w.Index = 1_900_000_000, &backend.Place{Partition: "i", Sort: "s"}
	same := w
	same.Effects = []backend.Effect{{Op: backend.Set, Num: w.Effects[0].Num}}
	steps := []struct {
		name    string
		writes  []backend.Write
		commits int
	}{
		{"a write", []backend.Write{w}, 1},
		{"a refusal", []backend.Write{add(key("a"), backend.Cond{Op: backend.Absent})}, 0},
		{"a refusal where there is no record", []backend.Write{add(key("b"), backend.Cond{Op: backend.Present})}, 0},
		{"conditions only", []backend.Write{{Key: w.Key, Layout: counter, Conds: []backend.Cond{{Op: backend.Present}}}}, 0},
		{"the removal of nothing", []backend.Write{{Key: key("b"), Layout: counter, Remove: true}}, 0},
		{"what is there already", []backend.Write{same}, 0},
		{"a refusal beside a write", []backend.Write{add(key("a")), add(key("a"), backend.Cond{Op: backend.Absent})}, 1},
	}
	for _, step := range steps {
		before := lastTransaction(t, s)
		if err := s.Apply(t.Context(), step.writes, make([]backend.Outcome, len(step.writes))); err != nil {
			t.Fatal(err)
		}
		if n := lastTransaction(t, s) - before; n != step.commits {
			t.Errorf("%s took %d commits, not %d", step.name, n, step.commits)
		}
	}
}

func TestCommitThatFailed(t *testing.T) {
	s, cause := mustOpenStore(t, nil), errDamaged
	id := lastTransaction(t, s)
	if err := notCommitted(s.db, id+1, cause); !errors.Is(err, backend.ErrUnavailable) || !errors.Is(err, cause) {
		t.Errorf("a transaction that readers do not see: %v", err)
	}
	if err := notCommitted(s.db, id, cause); !errors.Is(err, backend.ErrOutcomeUnknown) || !errors.Is(err, cause) {
		t.Errorf("a transaction that readers see: %v", err)
	}
}

// TestExpiryIsMovedLazily counts the instants in the bucket expiry.
func TestExpiryIsMovedLazily(t *testing.T) {
	s := mustOpenStore(t, &Options{NoSync: true})
	instants := func() (all []uint64) {
		err := s.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(expiryBucket).ForEach(func(k, _ []byte) error {
				r := reader{b: k}
				n := uint64(0)
				for _, c := range r.bytes(8) {
					n = n<<8 | uint64(c)
				}
				all = append(all, n)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	put := func(e backend.Expiry) {
		w := add(key("a"))
		w.Expiry = e
		if err := s.Apply(t.Context(), []backend.Write{w}, make([]backend.Outcome, 1)); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(now int64, want int) {
		if n, err := s.Sweep(t.Context(), now); err != nil || n != want {
			t.Fatalf("Sweep(%d) dropped %d, %v, not %d", now, n, err, want)
		}
	}
	check := func(want ...uint64) {
		t.Helper()
		got := instants()
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Fatalf("the bucket has %d, not %d", got, want)
		}
	}
	put(100)
	put(200)
	check(100) // later: left where it is
	sweep(150, 0)
	check(200) // moved once it was looked at
	put(120)
	check(120) // earlier: moved at once
	put(backend.NoExpiry)
	check()
	put(300)
	sweep(300, 0) // a record expires behind its instant
	sweep(301, 1)
	check()
}

func TestNewestHeaderCounts(t *testing.T) {
	s := mustOpenStore(t, nil)
	f, err := os.Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 3 {
		if err := s.Apply(t.Context(), []backend.Write{add(key("a"))}, make([]backend.Outcome, 1)); err != nil {
			t.Fatal(err)
		}
		h, err := checkHeaders(s.path, f)
		if id := lastTransaction(t, s); err != nil || h.txid != uint64(id) {
			t.Errorf("the newest header has number %d, %v, not %d", h.txid, err, id)
		}
		if err := checkFree(s.path, f, h); err != nil {
			t.Error(err)
		}
	}
}

// TestSweepIsBounded has many records that live on, and whose instants have come: one call looks at a part of them, and the
// next at others.
func TestSweepIsBounded(t *testing.T) {
	s := mustOpenStore(t, &Options{NoSync: true})
	const calls = 3
	writes := make([]backend.Write, (calls-1)*sweepCalls*sweepMost+1)
	for _, expiry := range []backend.Expiry{1000, 5000} {
		for i := range writes {
			writes[i] = add(key(strconv.Itoa(i)))
			writes[i].Expiry = expiry
		}
		if err := s.Apply(t.Context(), writes, make([]backend.Outcome, len(writes))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range calls + 1 {
		before := lastTransaction(t, s)
		dropped, err := s.Sweep(t.Context(), 2000)
		if err != nil || dropped != 0 {
			t.Fatalf("a sweep of records that live on: %d, %v", dropped, err)
		}
		if n, want := lastTransaction(t, s)-before, []int{sweepCalls, sweepCalls, 1, 0}[i]; n != want {
			t.Errorf("call %d took %d transactions, not %d", i+1, n, want)
		}
	}
}
