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

// errDamaged is what a page, a key or a record may have wrong with it.
var errDamaged = errors.New("bolt: the stored bytes make no sense")

// errNoFeed is what Feed answers on a store that keeps no changes.
var errNoFeed = fmt.Errorf("%w: bolt: the store was opened without Options.Feed", backend.ErrInvalid)

// errReadOnly is what writes meet on a store that was opened for reading.
var errReadOnly = fmt.Errorf("%w: bolt: the store was opened with Options.ReadOnly", backend.ErrRejected)

func errNoStore(path string) error {
	return fmt.Errorf("%w: bolt: %s holds no store yet, and Options.ReadOnly makes none", backend.ErrRejected, path)
}

func errLengths(writes, out int) error {
	return fmt.Errorf("%w: bolt: %d outcomes or records for %d writes or keys", backend.ErrInvalid, out, writes)
}

func errSize(size int) error {
	return fmt.Errorf("%w: bolt: %d at a time, at least 1", backend.ErrInvalid, size)
}

func errPosition(after string) error {
	return fmt.Errorf("%w: bolt: no position of a scan: %q", backend.ErrInvalid, after)
}

func errNoLayout(k backend.Key) error {
	return fmt.Errorf("%w: bolt: no layout is given for the record of %v", backend.ErrInvalid, k)
}

func errField(name string, l *backend.Layout) error {
	return fmt.Errorf("%w: bolt: the stored record has a field %q that layout %s does not have; was it written by a newer program?",
		backend.ErrInvalid, name, l.Name())
}

func errRecord(k backend.Key, err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("%w: the record of %v: %w", backend.ErrCorrupt, k, err)
	}
	return err
}

// errUnknown is what a writer hears that did not wait for its batch.
func errUnknown(err error) error {
	return fmt.Errorf("%w: bolt: the write was being committed: %w", backend.ErrOutcomeUnknown, err)
}

// What Open may find. Each text names the file and the way out.

func errInUse(path string, waited time.Duration) error {
	return fmt.Errorf("%w: bolt: %s is in use by another process (or twice by this one), waited %v: "+
		"one at a time may have it open; end the other one, or use another file", backend.ErrUnavailable, path, waited)
}

func errFolder(path string, err error) error {
	return fmt.Errorf("%w: bolt: the folder of %s does not exist, create it first: %w", backend.ErrRejected, path, err)
}

func errMissing(path string, err error) error {
	return fmt.Errorf("%w: bolt: %s cannot be opened: %w", backend.ErrRejected, path, err)
}

func errMoved(path string) error {
	return fmt.Errorf("%w: bolt: %s was replaced again and again while it was being opened", backend.ErrUnavailable, path)
}

// errCompactHere reports a system that cannot replace a file which is open.
var errCompactHere = fmt.Errorf("%w: bolt: files cannot be compacted on Windows; copy the store to another system", backend.ErrInvalid)

func errNotAFile(path string) error {
	return fmt.Errorf("%w: bolt: %s is no regular file; name a file, which need not exist", backend.ErrInvalid, path)
}

func errForeign(path, why string) error {
	return fmt.Errorf("%w: bolt: %s is not a store of zae-limiter, it was left as it is: %s; use another file",
		backend.ErrCorrupt, path, why)
}

func errFile(path, why string) error {
	return fmt.Errorf("%w: bolt: %s is damaged, it was left as it is: %s; restore it from a copy, or move it away to begin anew",
		backend.ErrCorrupt, path, why)
}

func errVersion(path, found string) error {
	return fmt.Errorf("%w: bolt: %s has format version %s, this program reads version %s, it was left as it is: "+
		"use the version of zae-limiter that wrote it, or move it away to begin anew", backend.ErrInvalid, path, found, version)
}

// classify makes an error of this package's contract of what bbolt or the system said, before or while a request ran
// that was certainly not applied.
func classify(path string, err error) error {
	switch {
	case err == nil || isOurs(err):
		return err
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return backend.ErrClosed
	case errors.Is(err, bolterrors.ErrDatabaseReadOnly):
		return errReadOnly
	case errors.Is(err, errDamaged):
		return fmt.Errorf("%w: bolt: %s is damaged: %w; restore it from a copy", backend.ErrCorrupt, path, err)
	case isNamed(err):
		return fmt.Errorf("%w: bolt: %s: %w", backend.ErrRejected, path, err)
	default:
		return fmt.Errorf("%w: bolt: %s: %w", backend.ErrUnavailable, path, err)
	}
}

// isNamed reports that the system has no such file for this user: a wrong name, or a missing permission. That does not
// pass, as a full disk does.
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

// notCommitted tells what a failed commit means: where the new state is nevertheless the one that readers see, all was
// written but for a sync, and it may survive or not.
func notCommitted(db *bbolt.DB, id int, err error) error {
	visible := 0
	if db.View(func(tx *bbolt.Tx) error { visible = tx.ID(); return nil }) == nil && visible < id {
		return fmt.Errorf("%w: bolt: %s: the commit failed: %w", backend.ErrUnavailable, db.Path(), err)
	}
	return fmt.Errorf("%w: bolt: %s: the commit failed at its end: %w", backend.ErrOutcomeUnknown, db.Path(), err)
}

// panicked makes an error of what bbolt or the processor said about a damaged page.
func panicked(v any) error {
	if err, ok := v.(error); ok {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return fmt.Errorf("%w: %v", errDamaged, v)
}
