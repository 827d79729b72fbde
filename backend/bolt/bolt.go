package bolt

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Options are what a store may be opened with; nil is fine.
type Options struct {
	// NoSync leaves out the syncs: a crash of the machine may then lose what was acknowledged, or the whole file; the
	// death of the process loses nothing. For tests. Default: every batch is synced.
	NoSync bool

	// Timeout is how long to wait for another process that has the file open. Default: 900 ms.
	Timeout time.Duration

	// Feed keeps every change, in the file, until Feed has handed it out. Default: no changes are kept, and Feed is
	// refused. What was kept before is handed out when the store is opened with Feed again.
	Feed bool

	// ReadOnly opens a file that is there for reading, as others may at the same time, and writes nothing: the file and its
	// file system may be read-only. Writes, Sweep and Feed fail with backend.ErrRejected. Default: reading and writing.
	ReadOnly bool

	// OpenFile opens the file, as os.OpenFile does, which is the default.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
}

// defaultTimeout lets a second process fail within a second.
const defaultTimeout = 900 * time.Millisecond

// Store is a [backend.Backend] in a file. It is safe for concurrent use.
type Store struct {
	path  string
	db    *bbolt.DB
	feed  bool
	queue queue

	taking sync.Mutex // held by the call of Feed that runs
}

var _ backend.Backend = (*Store)(nil)

// Open opens the store in a file, and makes it where there is no such file or an empty one; its folder must be there.
// With Options.ReadOnly it makes none, and fails with backend.ErrRejected if there is none. What Open refuses it leaves as it is.
func Open(path string, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	db, err := open(path, o)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, db: db, feed: o.Feed}
	s.queue.commit = s.commit
	return s, nil
}

// Capabilities implements [backend.Backend]. The store knows Max and Scan, Sweep unless it was opened with
// Options.ReadOnly, and Feed if it was opened with Options.Feed besides.
func (s *Store) Capabilities() backend.Capabilities {
	c := backend.Capabilities{Max: true, Scan: s.Scan}
	if s.db.IsReadOnly() {
		return c
	}
	c.Sweep = s.Sweep
	if s.feed {
		c.Feed = s.Feed
	}
	return c
}

// Read implements [backend.Backend].
func (s *Store) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if len(keys) != len(out) {
		return errLengths(len(keys), len(out))
	}
	for i := range keys {
		if err := keys[i].Validate(); err != nil {
			return err
		}
		if out[i].Layout() == nil {
			return errNoLayout(keys[i])
		}
	}
	return s.view(func(tx *bbolt.Tx) error {
		var odd backend.UnreadableError
		records, stored := tx.Bucket(recordsBucket), make([]byte, 0, 128)
		for i := range keys {
			out[i].Reset(out[i].Layout())
			stored = appendKey(stored[:0], keys[i])
			value := records.Get(stored)
			if value == nil {
				continue
			}
			switch err := decodeRecord(value, &out[i]); {
			case errors.Is(err, backend.ErrInvalid):
				out[i].Reset(out[i].Layout())
				odd.Add(i, err)
			case err != nil:
				return errRecord(keys[i], err)
			}
		}
		return odd.OrNil()
	})
}

// Close implements [backend.Backend]. It waits for the writes that came before it.
func (s *Store) Close() error {
	last := &request{run: func(*batch) {}, last: true}
	if err := s.queue.do(context.Background(), last); err == backend.ErrClosed { //nolint:errorlint // it is ours, unwrapped
		return nil
	}
	return classify(s.path, s.db.Close())
}

// begin is what every call that does not write does first.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.queue.lock.Lock()
	defer s.queue.lock.Unlock()
	if s.queue.closed {
		return backend.ErrClosed
	}
	return nil
}

// view reads the file as it is at one moment.
func (s *Store) view(f func(*bbolt.Tx) error) error {
	return classify(s.path, guard(func() error { return s.db.View(f) }))
}

// commit judges a batch of requests, and commits what took effect; nothing where nothing did.
func (s *Store) commit(batch []*request) {
	err := classify(s.path, guard(func() error { return s.transact(batch) }))
	if err == nil {
		return
	}
	for _, r := range batch {
		r.err = err
	}
}

func (s *Store) transact(requests []*request) error {
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing to roll back after a commit
	b := newBatch(tx, s.feed)
	for _, r := range requests {
		r.run(b)
	}
	wrote, err := b.flush()
	if err != nil || !wrote {
		return err
	}
	id := tx.ID()
	if err := tx.Commit(); err != nil {
		return notCommitted(s.db, id, err)
	}
	return nil
}

// guard turns what a damaged page does to bbolt, or to the reader of mapped memory, into an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return f()
}
