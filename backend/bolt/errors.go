package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/zeroae/zae-limiter-go/backend"
)

// errDamaged reports a page, a key or a record that cannot be decoded.
var errDamaged = errors.New("bolt: the stored bytes cannot be decoded")

// errNoFeed is returned by Feed of a store that keeps no changes.
var errNoFeed = fmt.Errorf("%w: bolt: the store keeps no changes: open it with Options.Feed", backend.ErrInvalid)

// errReadOnly is returned by writes on a store that was opened for reading.
var errReadOnly = fmt.Errorf("%w: bolt: the store is open for reading only: open it without Options.ReadOnly", backend.ErrRejected)

func errNoStore(path string) error {
	return fmt.Errorf("%w: bolt: %s has no store, and with Options.ReadOnly none is created: open it once without", backend.ErrRejected, path)
}

func errLengths(writes, out int) error {
	return fmt.Errorf("%w: bolt: out has length %d for %d writes or keys: make both equally long", backend.ErrInvalid, out, writes)
}

func errSize(size int) error {
	return fmt.Errorf("%w: bolt: the size is %d: use at least 1", backend.ErrInvalid, size)
}

func errPosition(after string) error {
	return fmt.Errorf("%w: bolt: %q is not a position of a scan: pass the one that Scan returned", backend.ErrInvalid, after)
}

func errNoLayout(k backend.Key) error {
	return fmt.Errorf("%w: bolt: the record for %v has no layout: call Reset with one", backend.ErrInvalid, k)
}

func errField(name string, l *backend.Layout) error {
	return fmt.Errorf("%w: bolt: the stored record has a field %q that layout %s does not have: use the program that wrote it, or a newer one",
		backend.ErrInvalid, name, l.Name())
}

// errRecord names the record that cannot be decoded.
func errRecord(k backend.Key, err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("%w: the record of %v: %w", backend.ErrCorrupt, k, err)
	}
	return fmt.Errorf("%w (the record of %v)", err, k)
}

// errUnknown is returned to a writer that did not wait for its batch.
func errUnknown(err error) error {
	return fmt.Errorf("%w: bolt: the context ended while the write was being committed: %w", backend.ErrOutcomeUnknown, err)
}

// Errors of Open. Each names the file and what to do.

// errNoPath reports a path that is mostly a variable or an option that is not set.
var errNoPath = fmt.Errorf("%w: bolt: the path is empty: name a file, which need not exist", backend.ErrInvalid)

func errInUse(path string, waited time.Duration) error {
	return fmt.Errorf("%w: bolt: %s is in use by another process, or twice by this one, for %v: "+
		"only one may have it open: end the other process, or use another file", backend.ErrUnavailable, path, waited)
}

func errFolder(path string, err error) error {
	return fmt.Errorf("%w: bolt: the folder of %s does not exist: create it first: %w", backend.ErrRejected, path, err)
}

func errMissing(path string, err error) error {
	return fmt.Errorf("%w: bolt: %s cannot be opened: %w", backend.ErrRejected, path, err)
}

func errMoved(path string) error {
	return fmt.Errorf("%w: bolt: %s was replaced each time that it was opened: try again later", backend.ErrUnavailable, path)
}

// errCompactHere reports a system that cannot replace an open file.
var errCompactHere = fmt.Errorf("%w: bolt: files cannot be compacted on Windows: copy the file to another system", backend.ErrInvalid)

func errNotAFile(path string) error {
	return fmt.Errorf("%w: bolt: %s is not a regular file: use the name of a file, which need not exist", backend.ErrInvalid, path)
}

func errForeign(path, why string) error {
	return fmt.Errorf("%w: bolt: %s is not a store of zae-limiter: %s: use another file; nothing was changed",
		backend.ErrCorrupt, path, why)
}

func errFile(path, why string) error {
	return fmt.Errorf("%w: bolt: %s is damaged: %s: restore it from a copy, or move it away to start a new one; nothing was changed",
		backend.ErrCorrupt, path, why)
}

func errVersion(path, found string) error {
	return fmt.Errorf("%w: bolt: %s has format version %s, and this program reads version %s: "+
		"use the version of zae-limiter that wrote it, or move it away to start a new one; nothing was changed", backend.ErrInvalid, path, found, version)
}

// classify returns the contract's error for an error of bbolt or of the system, of a request that was certainly not applied.
func classify(path string, err error) error {
	switch {
	case err == nil || isOurs(err):
		return err
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return backend.ErrClosed
	case errors.Is(err, bolterrors.ErrDatabaseReadOnly):
		return errReadOnly
	case errors.Is(err, errDamaged):
		return fmt.Errorf("%w: bolt: %s is damaged: restore it from a copy: %w", backend.ErrCorrupt, path, err)
	case isNamed(err):
		return fmt.Errorf("%w: bolt: %s: %w", backend.ErrRejected, path, err)
	default:
		return fmt.Errorf("%w: bolt: %s: %w", backend.ErrUnavailable, path, err)
	}
}

// isNamed reports whether the system has no such file for this user: the name is wrong, or a permission is missing. Unlike a
// full disk, that does not pass.
func isNamed(err error) bool {
	for _, cause := range []error{fs.ErrPermission, syscall.EROFS, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

func isOurs(err error) bool {
	return errors.Is(err, backend.ErrInvalid) || errors.Is(err, backend.ErrTooLarge) || errors.Is(err, backend.ErrUnavailable) ||
		errors.Is(err, backend.ErrOutcomeUnknown) || errors.Is(err, backend.ErrClosed) || errors.Is(err, backend.ErrConflict) ||
		errors.Is(err, backend.ErrRejected) || errors.Is(err, backend.ErrCorrupt)
}

// notCommitted returns the contract's error for a failed commit. If readers see the new state nevertheless, everything was
// written except for a sync, and it may survive or not.
func notCommitted(db *bbolt.DB, id int, err error) error {
	visible := 0
	if db.View(func(tx *bbolt.Tx) error { visible = tx.ID(); return nil }) == nil && visible < id {
		return fmt.Errorf("%w: bolt: %s: the commit failed: %w", backend.ErrUnavailable, db.Path(), err)
	}
	return fmt.Errorf("%w: bolt: %s: the commit failed at its end: %w", backend.ErrOutcomeUnknown, db.Path(), err)
}

// panicked returns an error for the panic of bbolt or of the processor on a damaged page.
func panicked(v any) error {
	if err, ok := v.(error); ok {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return fmt.Errorf("%w: %v", errDamaged, v)
}
