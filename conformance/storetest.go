package conformance

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
)

// patience limits all waiting: for index listings and feeds that lag, for calls that should return promptly, for writes that
// lose races. Nothing waits that long on a store that works.
var patience = 10 * time.Second

// tester is a subtest, or one run of a random property.
type tester interface {
	Helper()
	Context() context.Context
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// storeTest is one subtest and its store.
type storeTest struct {
	tester
	store      backend.Backend
	namespaces []string // where the invariants look
	indexes    []string // and in which partitions of the index
}

// newStoreTest opens a store, which is checked and closed after the subtest.
func newStoreTest(t testing.TB, open Open) *storeTest {
	t.Helper()
	s := &storeTest{tester: t, store: resending{open(t)}, namespaces: []string{space}, indexes: []string{index}}
	t.Cleanup(func() {
		s.checkInvariants()
		if err := s.store.Close(); err != nil {
			t.Errorf("Close after the subtest: %v", err)
		}
	})
	return s
}

// Context does not end with the subtest, because the store is checked after it.
func (s *storeTest) Context() context.Context { return context.WithoutCancel(s.tester.Context()) }

// eventually waits until the store has what is wanted, because a store may lag. The function returns what the store has, for
// the failure, and whether that is right. Stores that do not lag never wait.
func (s *storeTest) eventually(what string, look func() (has any, right bool)) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for {
		has, right := look()
		if right {
			return
		}
		if ctx.Err() != nil {
			s.Fatalf("not within %v: %s; the last time, there was %v", patience, what, has)
		}
		runtime.Gosched()
	}
}

// one applies one write; it may be called from any goroutine.
func (s *storeTest) one(w backend.Write) (backend.Outcome, error) {
	writes, out := []backend.Write{w}, make([]backend.Outcome, 1)
	err := s.store.Apply(s.Context(), writes, out)
	return out[0], err
}

// commit commits; it may be called from any goroutine.
func (s *storeTest) commit(writes ...backend.Write) error {
	return s.store.Commit(s.Context(), token(), writes)
}

// mustApply applies one write, whose conditions must be checked.
func (s *storeTest) mustApply(w backend.Write) backend.Outcome {
	s.Helper()
	out, err := s.one(w)
	if err != nil || out.Err != nil {
		s.Fatalf("Apply on %v: %v; of the write: %v", w.Key, err, out.Err)
	}
	return out
}

// mustPut applies writes one after the other, which must be applied.
func (s *storeTest) mustPut(writes ...backend.Write) {
	s.Helper()
	for _, w := range writes {
		if !s.mustApply(w).Applied {
			s.Fatalf("a write on %v was refused", w.Key)
		}
	}
}

// mustRefuse applies writes one after the other, which must be refused.
func (s *storeTest) mustRefuse(writes ...backend.Write) {
	s.Helper()
	for _, w := range writes {
		if s.mustApply(w).Applied {
			s.Fatalf("a write on %v was not refused", w.Key)
		}
	}
}

func (s *storeTest) mustCommit(writes ...backend.Write) {
	s.Helper()
	if err := s.commit(writes...); err != nil {
		s.Fatalf("Commit: %v", err)
	}
}

// mustRead reads records of the suite's layout.
func (s *storeTest) mustRead(keys ...backend.Key) []backend.Record {
	s.Helper()
	return s.mustReadAs(layout, keys...)
}

func (s *storeTest) mustReadAs(l *backend.Layout, keys ...backend.Key) []backend.Record {
	s.Helper()
	out := make([]backend.Record, len(keys))
	for i := range out {
		out[i].Reset(l)
	}
	if err := s.store.Read(s.Context(), keys, out); err != nil {
		s.Fatalf("Read: %v", err)
	}
	return out
}

// want reads a record, which must be shown as want.
func (s *storeTest) want(key backend.Key, want string) {
	s.Helper()
	if got := show(&s.mustRead(key)[0]); got != want {
		s.Errorf("%v reads as %s, not as %s", key, got, want)
	}
}

// wantRecord compares the record of an outcome.
func (s *storeTest) wantRecord(what string, r *backend.Record, want string) {
	s.Helper()
	if got := show(r); got != want {
		s.Errorf("%s: the record is %s, not %s", what, got, want)
	}
}

// unchanged runs act, which must not change the records of keys.
func (s *storeTest) unchanged(what string, keys []backend.Key, act func()) {
	s.Helper()
	before := s.mustRead(keys...)
	act()
	for i, after := range s.mustRead(keys...) {
		if !after.Equal(&before[i]) {
			s.Errorf("%s: %v was %s and is %s", what, keys[i], show(&before[i]), show(&after))
		}
	}
}

// mustList returns a whole listing, page by page. A page is never too long, and never empty if more follow.
func (s *storeTest) mustList(q backend.Query) []backend.Item {
	s.Helper()
	var all []backend.Item
	for {
		page, err := s.store.List(s.Context(), q)
		if err != nil {
			s.Fatalf("List: %v", err)
		}
		if len(page.Items) > q.Size || page.More && len(page.Items) == 0 {
			s.Fatalf("a page of %d keys, where at most %d were asked for; more: %v", len(page.Items), q.Size, page.More)
		}
		all = append(all, page.Items...)
		if !page.More {
			return all
		}
		if len(all) > 100_000 {
			s.Fatalf("a listing without end: %d keys and still more", len(all))
		}
		q.After = &all[len(all)-1]
	}
}

// sortsOf returns the sorts of items.
func sortsOf(items []backend.Item) []string {
	sorts := make([]string, len(items))
	for i, item := range items {
		sorts[i] = item.Sort
	}
	return sorts
}
