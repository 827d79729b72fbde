package bolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

// readOnlyFiles opens files as they are opened on a read-only file system.
func readOnlyFiles(name string, flag int, perm os.FileMode) (*os.File, error) {
	if flag != os.O_RDONLY {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
	}
	return os.OpenFile(name, flag, perm)
}

// TestReadOnly reads a store on a read-only file system, twice at the same time, and leaves every byte as it is.
func TestReadOnly(t *testing.T) {
	path := mustMake(t)
	before := mustReadFile(t, path)
	o := &bolt.Options{ReadOnly: true, Feed: true, OpenFile: readOnlyFiles}
	s, other := mustOpen(t, path, o), mustOpen(t, path, o)
	for _, s := range []*bolt.Store{s, other} {
		out := []backend.Record{{}}
		w := acquire(keyOf(7))
		out[0].Reset(w.Layout)
		if err := s.Read(t.Context(), []backend.Key{w.Key}, out); err != nil || !out[0].Present() {
			t.Errorf("Read: %v, %v", out[0].Present(), err)
		}
	}
	w := []backend.Write{acquire(keyOf(7))}
	outcomes := make([]backend.Outcome, 1)
	_, swept := s.Sweep(t.Context(), 1<<40)
	_, fed := s.Feed(t.Context(), func(backend.Key) *backend.Layout { return nil }, 10, nil)
	for what, err := range map[string]error{
		"Apply": s.Apply(t.Context(), w, outcomes), "Commit": s.Commit(t.Context(), [16]byte{1}, w), "Sweep": swept, "Feed": fed,
	} {
		if !errors.Is(err, backend.ErrRejected) || !strings.Contains(err.Error(), "Options.ReadOnly") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := errors.Join(s.Close(), other.Close()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if !bytes.Equal(before, mustReadFile(t, path)) {
		t.Error("the file has changed")
	}
}

// TestReadOnlyMakesNothing opens what is not there, or is empty.
func TestReadOnlyMakesNothing(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.db")
	mustWrite(t, empty, nil)
	for _, path := range []string{filepath.Join(folder, "absent.db"), empty, filepath.Join(folder, "nosuch", "x.db")} {
		_, err := bolt.Open(path, &bolt.Options{ReadOnly: true})
		if !errors.Is(err, backend.ErrRejected) || !strings.Contains(err.Error(), "has no store") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("made something: %v, %v", entries, err)
	}
}
