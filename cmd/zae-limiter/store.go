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

// store is a [backend.Backend] that opens its file for each call and closes it afterwards, so that many processes can share
// the file. A store that many processes can open at the same time stays open. A file that does not exist reads as an empty
// store; the first write creates it.
type store struct {
	url  string
	path string // of the file; empty if the store is not a file
	open func() (backend.Backend, error)
	// openReading opens the file read-only; nil if the store has no read-only mode.
	openReading func() (backend.Backend, error)
	openFile    func(name string, flag int, perm os.FileMode) (*os.File, error) // nil means os.OpenFile
	// isMissing reports whether the store does not exist yet.
	isMissing func() bool

	keepOpen   bool // opened once; calls may be concurrent
	aggregates bool // keeps its changes until they have been aggregated to usage
	now        func() time.Time
	signIn     func(target) (context.Context, error) // signs in before the store is opened; may be nil

	lock         sync.Mutex      // held while a call has the file open
	opened       backend.Backend // if keepOpen
	openErr      error           // why opening failed; it is not tried again
	changed      atomic.Bool     // something was written since takeChanged
	written      atomic.Bool     // something was written in this run
	unaggregated int             // changes of this run that have not been aggregated
}

var _ backend.Backend = (*store)(nil)

// openStore returns the store that a URL names; for an empty URL, the one in the user's data directory. It does no I/O.
func openStore(name string, timeout time.Duration, getenv func(string) string) (*store, error) {
	if name == "" {
		folder, err := dataFolder(runtime.GOOS, getenv)
		if err != nil {
			return nil, err
		}
		return fileStore(filepath.Join(folder, "zae-limiter", "limiter.db"), true, timeout), nil
	}
	const forms = "write bolt:///path/to/file, bolt:file, dynamodb://NAME or memory:"
	u, err := url.Parse(name)
	if err != nil || u.Scheme == "" {
		return nil, usageErrorf("invalid store %q: not a URL: %s", name, forms)
	}
	switch u.Scheme {
	case "memory":
		if name != "memory:" {
			return nil, usageErrorf("invalid store %q: nothing may follow memory:", name)
		}
		kept := memory.New(nil)
		return &store{
			url:       "memory: (gone when this command ends)",
			keepOpen:  true,
			open:      func() (backend.Backend, error) { return kept, nil },
			isMissing: func() bool { return false },
		}, nil
	case "bolt":
		path := u.Opaque + u.Path
		if u.Host != "" || u.RawQuery != "" || u.Fragment != "" || path == "" || strings.HasSuffix(path, "/") {
			return nil, usageErrorf("invalid store %q: no file name: write bolt:///path/to/file, or bolt:file for a file in this folder", name)
		}
		if len(path) > 2 && path[0] == '/' && path[2] == ':' && runtime.GOOS == "windows" {
			path = path[1:] // bolt:///C:/folder/file
		}
		return fileStore(filepath.FromSlash(path), false, timeout), nil
	case "dynamodb":
		return deployedStore(u, timeout)
	}
	return nil, usageErrorf("invalid store: unknown kind %q: %s", u.Scheme, forms)
}

// dataFolder returns the folder in which programs keep a user's data on an operating system.
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
		return "", errNoDataFolder
	}
	return filepath.Join(home, rest), nil
}

// fileStore returns a store in a file. With ownFolder, it creates the file's folder when needed.
func fileStore(path string, ownFolder bool, timeout time.Duration) *store {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	s := &store{url: "bolt://" + withLeadingSlash(filepath.ToSlash(path)), path: path, aggregates: true}
	s.isMissing = func() bool {
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

// withLeadingSlash makes a Windows path valid in a URL.
func withLeadingSlash(path string) string { return "/" + strings.TrimPrefix(path, "/") }

// withWriter calls call with the file open for writing.
func (s *store) withWriter(call func(backend.Backend) error) error { return s.call(s.open, call) }

// withReader calls call, which only reads. If the file cannot be opened for writing (a read-only file system, a user without
// the permission), it is opened read-only and writable is false.
func (s *store) withReader(call func(d backend.Backend, writable bool) error) error {
	writable := true
	open := func() (backend.Backend, error) {
		d, err := s.open()
		if s.openReading != nil && (errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)) {
			writable = false
			return s.openReading()
		}
		return d, err
	}
	return s.call(open, func(d backend.Backend) error { return call(d, writable) })
}

func (s *store) call(open func() (backend.Backend, error), call func(backend.Backend) error) error {
	if s.keepOpen {
		d, err := s.openOnce()
		if err != nil {
			return err
		}
		return call(d)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.openErr != nil {
		return s.openErr
	}
	d, err := open()
	if err != nil {
		s.openErr = &storeError{err}
		return s.openErr
	}
	defer d.Close() //nolint:errcheck // acknowledged writes are on the disk already
	return call(d)
}

// openOnce returns the driver of a store with keepOpen, and opens it first if necessary.
func (s *store) openOnce() (backend.Backend, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.opened == nil && s.openErr == nil {
		d, err := s.open()
		if err != nil {
			s.openErr = &storeError{err}
		} else {
			s.opened = d
		}
	}
	return s.opened, s.openErr
}

// clearFailure makes the next call try to open the store again.
func (s *store) clearFailure() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.openErr = nil
}

// Read implements [backend.Backend].
func (s *store) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	if s.isMissing() {
		return ctx.Err() // the caller has reset out, so all records are absent
	}
	return s.withReader(func(d backend.Backend, _ bool) error { return d.Read(ctx, keys, out) })
}

// Apply implements [backend.Backend].
func (s *store) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	return s.withWriter(func(d backend.Backend) error {
		err := d.Apply(ctx, writes, out)
		for i := range out {
			s.noteWritten(out[i].Applied)
		}
		s.aggregateIfDue(ctx, d, len(writes))
		return err
	})
}

// Commit implements [backend.Backend].
func (s *store) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	return s.withWriter(func(d backend.Backend) error {
		err := d.Commit(ctx, token, writes)
		s.noteWritten(err == nil)
		s.aggregateIfDue(ctx, d, len(writes))
		return err
	})
}

// List implements [backend.Backend].
func (s *store) List(ctx context.Context, q backend.Query) (keys backend.Keys, err error) {
	if s.isMissing() {
		return backend.Keys{}, ctx.Err()
	}
	err = s.withReader(func(d backend.Backend, writable bool) error {
		if writable && schema.ListsUsage(q.Partition) {
			if err := s.aggregate(ctx, d); err != nil {
				return err
			}
		}
		keys, err = d.List(ctx, q)
		return err
	})
	return keys, err
}

// Capabilities implements [backend.Backend]. The store has no properties, since opening it may take time.
func (s *store) Capabilities() backend.Capabilities {
	return backend.Capabilities{Scan: s.Scan, Sweep: s.Sweep}
}

// Scan is a [backend.ScanFunc].
func (s *store) Scan(ctx context.Context, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	if s.isMissing() {
		return nil, "", ctx.Err()
	}
	err = s.withReader(func(d backend.Backend, _ bool) error {
		keys, next, err = d.Capabilities().Scan(ctx, namespace, after, size)
		return err
	})
	return keys, next, err
}

// Sweep is a [backend.SweepFunc]. It does nothing for a store that removes expired records by itself.
func (s *store) Sweep(ctx context.Context, now int64) (n int, err error) {
	if s.isMissing() {
		return 0, ctx.Err()
	}
	err = s.withWriter(func(d backend.Backend) error {
		if sweep := d.Capabilities().Sweep; sweep != nil {
			n, err = sweep(ctx, now)
		}
		return err
	})
	return n, err
}

// Close implements [backend.Backend]. A later call, which the limiter has left behind, must not create the file again.
func (s *store) Close() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.openErr = backend.ErrClosed; s.opened == nil {
		return nil
	}
	return s.opened.Close()
}

func (s *store) noteWritten(something bool) {
	if something {
		s.changed.Store(true)
		s.written.Store(true)
	}
}

// takeChanged reports whether something was written since its last call. It does not wait for calls in progress.
func (s *store) takeChanged() bool { return s.changed.Swap(false) }
