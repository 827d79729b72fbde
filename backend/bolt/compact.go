package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"
)

// Compacted is the result of [Compact].
type Compacted struct {
	Before, After int64 // the size of the file, in bytes
}

// compactTx is about the number of bytes that one transaction copies.
const compactTx = 16 << 20

// compactAlloc is by how many bytes the new file grows.
const compactAlloc = 64 << 10

// suffix follows the name of the file in the name of the new one.
const suffix = ".compact"

// Compact rewrites the file of a store at its least size. A bbolt file never shrinks by itself, because it reuses the pages of
// removed records. No other process may have the file open; Compact waits for that as [Open] does. It writes a new file in
// the same folder, with the suffix .compact, syncs it, and renames it to the old name, so that a crash at any moment leaves
// either the old file or the new one, complete. Mode and owner are kept, and a symbolic link stays one.
//
// Errors are those of [Open]. A file that does not exist is fs.ErrNotExist and backend.ErrRejected. After any error the old
// file is unchanged. Windows cannot replace an open file; there the error is backend.ErrInvalid.
func Compact(path string, o *Options) (Compacted, error) {
	c := compaction{path: path, o: o, step: func(string) error { return nil }}
	return c.run()
}

// compaction is one call of Compact. step is called after each step; tests look at the files then, and may return an error.
type compaction struct {
	path string
	o    *Options
	step func(done string) error
}

func (c *compaction) run() (done Compacted, err error) {
	if runtime.GOOS == "windows" {
		return done, errCompactHere
	}
	path, err := filepath.EvalSymlinks(c.path)
	if err != nil {
		return done, errMissing(c.path, err)
	}
	s, err := Open(path, c.writing()) // while s is open, nobody else can open the file
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	info, err := os.Stat(path)
	if err != nil {
		return done, classify(path, err)
	}
	fresh := path + suffix
	if err := c.write(s.db, fresh, info); err != nil {
		return done, errors.Join(classify(path, err), removeIfThere(fresh))
	}
	size, err := os.Stat(fresh)
	if err != nil {
		return done, classify(path, err)
	}
	if err := errors.Join(c.step("written"), os.Rename(fresh, path)); err != nil {
		return done, errors.Join(classify(path, err), removeIfThere(fresh))
	}
	syncFolder(path)
	return Compacted{info.Size(), size.Size()}, c.step("renamed")
}

// writing returns the options with which the file is opened: for writing, so that nobody else has it open.
func (c *compaction) writing() *Options {
	var o Options
	if c.o != nil {
		o = *c.o
	}
	o.ReadOnly = false
	return &o
}

// write writes the new file, and checks it as Open does. It replaces what an interrupted compaction has left.
func (c *compaction) write(old *bbolt.DB, fresh string, info os.FileInfo) error {
	if err := removeIfThere(fresh); err != nil {
		return err
	}
	db, err := bbolt.Open(fresh, info.Mode().Perm(), &bbolt.Options{
		FreelistType: bbolt.FreelistMapType, NoSync: true, PageSize: old.Info().PageSize,
	})
	if err != nil {
		return err
	}
	db.AllocSize = compactAlloc
	err = errors.Join(os.Chmod(fresh, info.Mode().Perm()), keepOwner(fresh, info), c.step("created"))
	if err == nil {
		err = guard(func() error { return bbolt.Compact(db, old, compactTx) })
	}
	if err == nil {
		err = errors.Join(c.step("copied"), db.Sync())
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	op := opening{path: fresh, o: Options{Timeout: defaultTimeout, OpenFile: os.OpenFile}}
	return op.inspect()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
