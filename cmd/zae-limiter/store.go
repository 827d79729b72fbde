package main

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// store is a [backend.Backend] that opens a file for each call and closes it behind it, so that many processes share it;
// one that many can have open stays open.
// A file that does not exist reads as an empty store; the first write makes it.
type store struct {
	url  string
	path string // of the file; "": it is none
	open func() (backend.Backend, error)
	// openReading opens what cannot be written to; nil for a store of which that is not known.
	openReading func() (backend.Backend, error)
	openFile    func(name string, flag int, perm os.FileMode) (*os.File, error) // nil: os.OpenFile
	// missing reports whether there is nothing to read yet.
	missing func() bool

	stays  bool // opened once, for all calls, which may come at the same time
	books  bool // keeps its changes until usage has been made of them
	now    func() time.Time
	signIn func(target) (context.Context, error) // asks whoever must be asked before open; nil: nobody

	lock    sync.Mutex      // one call at a time has the file open: a process waits for itself as it does for others
	opened  backend.Backend // of one that stays
	failed  error           // why it cannot be opened: not tried again
	changed atomic.Bool     // something was written, and nobody has been told
	written atomic.Bool     // something was written
	waiting int             // changes of this run of which no usage has been made
}

var _ backend.Backend = (*store)(nil)

// openStore makes the store that a URL names, "" the one in the user's data directory. It touches no file.
func openStore(name string, timeout time.Duration, getenv func(string) string) (*store, error) {
	if name == "" {
		folder, err := dataFolder(runtime.GOOS, getenv)
		if err != nil {
			return nil, err
		}
		return fileStore(filepath.Join(folder, "zae-limiter", "limiter.db"), true, timeout), nil
	}
	const cure = "write bolt:///path/to/file, bolt:file, dynamodb://NAME or memory:"
	u, err := url.Parse(name)
	if err != nil || u.Scheme == "" {
		return nil, usage("%q is no URL of a store; %s", name, cure)
	}
	switch u.Scheme {
	case "memory":
		if name != "memory:" {
			return nil, usage("%q: memory: has nothing behind it", name)
		}
		kept := memory.New(nil)
		return &store{
			url:     "memory: (gone when this command ends)",
			stays:   true,
			open:    func() (backend.Backend, error) { return kept, nil },
			missing: func() bool { return false },
		}, nil
	case "bolt":
		path := u.Opaque + u.Path
		if u.Host != "" || u.RawQuery != "" || u.Fragment != "" || path == "" || strings.HasSuffix(path, "/") {
			return nil, usage("%q names no file; write bolt:///path/to/file, or bolt:file for one in this folder", name)
		}
		if len(path) > 2 && path[0] == '/' && path[2] == ':' && runtime.GOOS == "windows" {
			path = path[1:] // bolt:///C:/folder/file
		}
		return fileStore(filepath.FromSlash(path), false, timeout), nil
	case "dynamodb":
		return deployedStore(u, timeout)
	}
	return nil, usage("there are no stores of the kind %q; %s", u.Scheme, cure)
}

// dataFolder is where programs keep a user's data on a system.
func dataFolder(system string, getenv func(string) string) (string, error) {
	if folder := getenv("XDG_DATA_HOME"); filepath.IsAbs(folder) {
		return folder, nil
	}
	variable, rest := "HOME", filepath.Join(".local", "share")
	switch system {
	case "windows":
		variable, rest = "LocalAppData", ""
	case "darwin":
		rest = filepath.Join("Library", "Application Support")
	}
	home := getenv(variable)
	if home == "" {
		return "", errNoHome
	}
	return filepath.Join(home, rest), nil
}

// fileStore is a store in a file, whose folder it makes where that is its own.
func fileStore(path string, ownFolder bool, timeout time.Duration) *store {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	s := &store{url: "bolt://" + withSlash(filepath.ToSlash(path)), path: path, books: true}
	s.missing = func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	}
	o := bolt.Options{Timeout: max(timeout, time.Millisecond), Feed: true}
	s.open = func() (backend.Backend, error) {
		if ownFolder {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return nil, err
			}
		}
		o.OpenFile = s.openFile
		return bolt.Open(path, &o)
	}
	s.openReading = func() (backend.Backend, error) {
		readOnly := o
		readOnly.ReadOnly, readOnly.OpenFile = true, s.openFile
		return bolt.Open(path, &readOnly)
	}
	return s
}

// withSlash makes a Windows path one that a URL can have.
func withSlash(path string) string { return "/" + strings.TrimPrefix(path, "/") }

// with makes one call with the file open for writing.
func (s *store) with(call func(backend.Backend) error) error { return s.calling(s.open, call) }

// reading makes one call that only reads. It does so too if the file cannot be opened for writing, on a read-only file system
// or by a user who may only read it: writable tells which.
func (s *store) reading(call func(d backend.Backend, writable bool) error) error {
	writable := true
	open := func() (backend.Backend, error) {
		d, err := s.open()
		if s.openReading != nil && (errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)) {
			writable = false
			return s.openReading()
		}
		return d, err
	}
	return s.calling(open, func(d backend.Backend) error { return call(d, writable) })
}

func (s *store) calling(open func() (backend.Backend, error), call func(backend.Backend) error) error {
	if s.stays {
		d, err := s.once()
		if err != nil {
			return err
		}
		return call(d)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.failed != nil {
		return s.failed
	}
	d, err := open()
	if err != nil {
		s.failed = &storeError{err}
		return s.failed
	}
	defer d.Close() //nolint:errcheck // what was acknowledged is on the disk, and the lock goes with the process
	return call(d)
}

// once opens a store that stays.
func (s *store) once() (backend.Backend, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.opened == nil && s.failed == nil {
		d, err := s.open()
		if err != nil {
			s.failed = &storeError{err}
		} else {
			s.opened = d
		}
	}
	return s.opened, s.failed
}

// forgive has the next call try again to open what could not be opened.
func (s *store) forgive() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.failed = nil
}

// Read implements [backend.Backend].
func (s *store) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	if s.missing() {
		return ctx.Err() // out was reset: all absent
	}
	return s.reading(func(d backend.Backend, _ bool) error { return d.Read(ctx, keys, out) })
}

// Apply implements [backend.Backend].
func (s *store) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	return s.with(func(d backend.Backend) error {
		err := d.Apply(ctx, writes, out)
		for i := range out {
			s.wrote(out[i].Applied)
		}
		s.bookSome(ctx, d, len(writes))
		return err
	})
}

// Commit implements [backend.Backend].
func (s *store) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	return s.with(func(d backend.Backend) error {
		err := d.Commit(ctx, token, writes)
		s.wrote(err == nil)
		s.bookSome(ctx, d, len(writes))
		return err
	})
}

// List implements [backend.Backend].
func (s *store) List(ctx context.Context, q backend.Query) (keys backend.Keys, err error) {
	if s.missing() {
		return backend.Keys{}, ctx.Err()
	}
	err = s.reading(func(d backend.Backend, writable bool) error {
		if writable && schema.ListsUsage(q.Partition) {
			if err := s.book(ctx, d); err != nil {
				return err
			}
		}
		keys, err = d.List(ctx, q)
		return err
	})
	return keys, err
}

// Capabilities implements [backend.Backend]. Opening a store may take time, so it has no properties.
func (s *store) Capabilities() backend.Capabilities {
	return backend.Capabilities{Scan: s.Scan, Sweep: s.Sweep}
}

// Scan is a [backend.ScanFunc].
func (s *store) Scan(ctx context.Context, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	if s.missing() {
		return nil, "", ctx.Err()
	}
	err = s.reading(func(d backend.Backend, _ bool) error {
		keys, next, err = d.Capabilities().Scan(ctx, namespace, after, size)
		return err
	})
	return keys, next, err
}

// Sweep is a [backend.SweepFunc]; there is nothing to do for a store that drops expired records by itself.
func (s *store) Sweep(ctx context.Context, now int64) (n int, err error) {
	if s.missing() {
		return 0, ctx.Err()
	}
	err = s.with(func(d backend.Backend) error {
		if sweep := d.Capabilities().Sweep; sweep != nil {
			n, err = sweep(ctx, now)
		}
		return err
	})
	return n, err
}

// Close implements [backend.Backend]. Of a file nothing is open between calls.
func (s *store) Close() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.opened == nil {
		return nil
	}
	return s.opened.Close()
}

func (s *store) wrote(something bool) {
	if something {
		s.changed.Store(true)
		s.written.Store(true)
	}
}

// takeChanged reports whether something was written since it was last asked. It does not wait for a call that does.
func (s *store) takeChanged() bool { return s.changed.Swap(false) }
