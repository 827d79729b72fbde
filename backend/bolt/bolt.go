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

// Options change how a store is opened and works. A nil *Options is valid.
type Options struct {
	// NoSync omits the syncs, for tests. A crash of the machine may then lose what was acknowledged, or the whole file; the
	// death of the process loses nothing. Default: every batch is synced.
	NoSync bool

	// Timeout is how long Open waits for another process that has the file open. Default: 900 ms.
	Timeout time.Duration

	// Feed keeps every change in the file until it has been taken by Feed of the store's Capabilities. Default: no changes
	// are kept. Changes that were kept before stay in the file, until they are taken from a store with this option.
	Feed bool

	// ReadOnly opens an existing file for reading, as other processes may at the same time. Nothing is written, so that the
	// file and its file system may be read-only. Writes fail with backend.ErrRejected. Default: reading and writing.
	ReadOnly bool

	// OpenFile opens the file. Default: os.OpenFile.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
}

// defaultTimeout makes a second process fail within a second.
const defaultTimeout = 900 * time.Millisecond

// Store is a [backend.Backend] in a file. Safe for concurrent use.
type Store struct {
	path  string
	db    *bbolt.DB
	feed  bool
	queue queue

	taking sync.Mutex // held by a running call of Feed
}

var _ backend.Backend = (*Store)(nil)

// Open opens the store in a file. If there is no such file, or an empty one, it creates the store; the folder must exist.
// With Options.ReadOnly it creates nothing, and returns an error that is backend.ErrRejected if there is no store. A file
// that another process has open is backend.ErrUnavailable, a damaged or foreign one backend.ErrCorrupt, one of another
// version backend.ErrInvalid. Open does not change a file that it refuses.
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

// Capabilities implements [backend.Backend]. The store has Max and Scan. Unless it was opened with Options.ReadOnly, it also has
// Sweep, and Feed with Options.Feed.
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
				odd.Add(i, errRecord(keys[i], err))
			case err != nil:
				return errRecord(keys[i], err)
			}
		}
		return odd.OrNil()
	})
}

// Close implements [backend.Backend]. It waits for earlier writes.
func (s *Store) Close() error {
	last := &request{run: func(*batch) {}, last: true}
	if err := s.queue.do(context.Background(), last); err == backend.ErrClosed { //nolint:errorlint // it is ours, unwrapped
		return nil
	}
	return classify(s.path, s.db.Close())
}

// begin is the first step of every call that does not write.
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

// view calls f with the file as it is at one moment.
func (s *Store) view(f func(*bbolt.Tx) error) error {
	return classify(s.path, guard(func() error { return s.db.View(f) }))
}

// commit runs a batch of requests, and commits if any of them took effect.
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

// guard returns an error if f panics, as bbolt and readers of mapped memory do on a damaged page.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return f()
}
