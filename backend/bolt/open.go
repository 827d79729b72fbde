package bolt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The buckets of a store, and the keys of its bucket meta.
var (
	metaBucket    = []byte("meta")
	recordsBucket = []byte("records")
	indexBucket   = []byte("index")
	expiryBucket  = []byte("expiry")
	feedBucket    = []byte("feed")

	formatKey  = []byte("format")
	versionKey = []byte("version")
)

const (
	format  = "zae-limiter-go"
	version = "1"
)

// opening is one call of Open.
type opening struct {
	path string
	o    Options
	file *os.File // opened for bbolt, to be closed if it panics
}

func open(path string, o *Options) (*bbolt.DB, error) {
	op := opening{path: path, o: *o}
	if op.o.OpenFile == nil {
		op.o.OpenFile = os.OpenFile
	}
	if op.o.Timeout == 0 {
		op.o.Timeout = defaultTimeout
	}
	info, err := os.Stat(path)
	switch {
	case path == "":
		return nil, errNoPath
	case op.o.ReadOnly && (errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0):
		return nil, errNoStore(path)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, errFolder(path, err)
		}
	case err != nil:
		return nil, classify(path, err)
	case !info.Mode().IsRegular():
		return nil, errNotAFile(path)
	case info.Size() > 0:
		if err := op.inspect(); err != nil {
			return nil, classify(path, err)
		}
	}
	db, err := op.openCurrent()
	if err != nil {
		return nil, classify(path, err)
	}
	if err := guard(func() error { return op.prepare(db) }); err != nil {
		return nil, classify(path, errors.Join(err, db.Close()))
	}
	return db, nil
}

// looks is how often headers are read before the file counts as damaged, because they are read without the lock.
const looks = 3

// inspect checks an existing file without writing to it.
func (op *opening) inspect() error {
	f, err := op.o.OpenFile(op.path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	for try := 1; ; try++ {
		_, err := checkHeaders(op.path, f)
		if err == nil {
			break
		}
		if try == looks { // another process may have been writing
			return err
		}
	}
	db, err := op.open(true)
	if err != nil {
		return err
	}
	defer db.Close()                   //nolint:errcheck // it was only read
	h, err := checkHeaders(op.path, f) // nobody writes now
	if err != nil {
		return err
	}
	if err := guard(func() error { return db.View(op.checkFormat) }); err != nil {
		return op.damaged(err)
	}
	return checkFree(op.path, f, h)
}

// mostMoved is how often a file may be replaced while it is opened.
const mostMoved = 10

// openCurrent opens the file as the options say. If another process replaces the file by a compact one while openCurrent
// waits for it, writes to the old file would be lost, so that it opens the new one.
func (op *opening) openCurrent() (*bbolt.DB, error) {
	for range mostMoved {
		db, err := op.open(op.o.ReadOnly)
		if err != nil {
			return nil, err
		}
		opened, err := op.file.Stat()
		if err == nil {
			var now os.FileInfo
			if now, err = os.Stat(op.path); err == nil && os.SameFile(opened, now) {
				return db, nil
			}
		}
		if err := errors.Join(db.Close(), ignoreMissing(err)); err != nil {
			return nil, err
		}
	}
	return nil, errMoved(op.path)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// open opens the file with bbolt. If readOnly is true, it changes nothing, not even the list of free pages.
func (op *opening) open(readOnly bool) (db *bbolt.DB, err error) {
	err = guard(func() error {
		db, err = bbolt.Open(op.path, 0o600, &bbolt.Options{
			Timeout:      op.o.Timeout,
			NoSync:       op.o.NoSync,
			FreelistType: bbolt.FreelistMapType,
			ReadOnly:     readOnly,
			OpenFile:     op.openFile,
		})
		return err
	})
	switch {
	case errors.Is(err, errDamaged):
		_ = op.file.Close() // bbolt has panicked
		return nil, op.damaged(err)
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, errInUse(op.path, op.o.Timeout)
	}
	return db, err
}

func (op *opening) openFile(name string, flag int, perm os.FileMode) (f *os.File, err error) {
	op.file, err = op.o.OpenFile(name, flag, perm)
	return op.file, err
}

// damaged adds the name of the file to an error of damaged pages.
func (op *opening) damaged(err error) error {
	if errors.Is(err, errDamaged) {
		return errFile(op.path, err.Error())
	}
	return err
}

// checkFormat accepts a file of this format, and an empty bbolt file.
func (op *opening) checkFormat(tx *bbolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		if k, _ := tx.Cursor().First(); k == nil {
			return nil
		}
		return errForeign(op.path, "it is a bbolt file of another program")
	}
	if string(meta.Get(formatKey)) != format {
		return errForeign(op.path, "it is a bbolt file of another program")
	}
	if found := string(meta.Get(versionKey)); found != version {
		return errVersion(op.path, found)
	}
	for _, name := range [][]byte{recordsBucket, indexBucket, expiryBucket, feedBucket} {
		if tx.Bucket(name) == nil {
			return errFile(op.path, "it has no "+string(name))
		}
	}
	return nil
}

// prepare creates the buckets of a new file, in one transaction.
func (op *opening) prepare(db *bbolt.DB) error {
	fresh := false
	err := db.View(func(tx *bbolt.Tx) error {
		fresh = tx.Bucket(metaBucket) == nil
		return op.checkFormat(tx) // another process may have changed it since inspect
	})
	switch {
	case err != nil || !fresh:
		return err
	case op.o.ReadOnly:
		return errNoStore(op.path)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{recordsBucket, indexBucket, expiryBucket, feedBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		return errors.Join(meta.Put(formatKey, []byte(format)), meta.Put(versionKey, []byte(version)))
	})
	if err == nil && !op.o.NoSync {
		syncFolder(op.path)
	}
	return err
}

// syncFolder makes a new file's name durable, on systems that can sync folders.
func syncFolder(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
