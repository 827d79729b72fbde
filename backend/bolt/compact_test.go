package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// contents is everything in a file, as text.
func contents(t *testing.T, path string) string {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var text bytes.Buffer
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			fmt.Fprintf(&text, "%s %d\n", name, b.Sequence())
			return b.ForEach(func(k, v []byte) error {
				_, err := fmt.Fprintf(&text, "%q %q\n", k, v)
				return err
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// sparse makes a file of which most is free, with records in all buckets.
func sparse(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, &Options{NoSync: true, Feed: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 4000
	writes := make([]backend.Write, n)
	for i := range writes {
		writes[i] = add(key(strconv.Itoa(i)))
		writes[i].Expiry = backend.Expiry(1000 + i)
		writes[i].Index = &backend.Place{Partition: "i", Sort: strconv.Itoa(i)}
	}
	if err := s.Apply(t.Context(), writes, make([]backend.Outcome, n)); err != nil {
		t.Fatal(err)
	}
	for {
		dropped, err := s.Sweep(t.Context(), 1000+n-100)
		if err != nil {
			t.Fatal(err)
		}
		if dropped == 0 {
			break
		}
	}
	all := func(backend.Key) *backend.Layout { return counter }
	if taken, err := s.Feed(t.Context(), all, 2*n-150, func([]backend.Change) error { return nil }); err != nil || taken < n {
		t.Fatalf("%d changes taken, %v", taken, err)
	}
	return path
}

func mustCompact(t *testing.T, path string) Compacted {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("files are not compacted on Windows")
	}
	done, err := Compact(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// alone wants nothing but the store in its folder.
func alone(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 || files[0].Name() != filepath.Base(path) {
		t.Errorf("the folder has %v, %v", files, err)
	}
}

func TestCompact(t *testing.T) {
	path := sparse(t)
	before := contents(t, path)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid() == 0
	if owner {
		if err := os.Chown(path, 12345, 12346); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	done := mustCompact(t, path)
	if contents(t, path) != before {
		t.Error("the contents have changed")
	}
	info, err := os.Stat(path)
	if err != nil || done.Before != old.Size() || done.After != info.Size() || done.After > done.Before/5 {
		t.Errorf("%+v, the file had %d bytes and has %d; %v", done, old.Size(), info.Size(), err)
	}
	if info.Mode() != 0o640 {
		t.Errorf("the mode is %v", info.Mode())
	}
	if owner && !sameOwner(old, info) {
		t.Error("the owner has changed")
	}
	alone(t, path)
	if again := mustCompact(t, path); again.After > done.After {
		t.Errorf("a compact file is compacted from %d to %d bytes", again.Before, again.After)
	}
	s, err := Open(path, &Options{Feed: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), []backend.Write{add(key("3999"))}, make([]backend.Outcome, 1)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestCompactALink wants a symbolic link to stay one.
func TestCompactALink(t *testing.T) {
	path := sparse(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	mustCompact(t, link)
	if to, err := os.Readlink(link); err != nil || to != path {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	alone(t, path)
	alone(t, link)
}

var compactSteps = []string{"created", "copied", "written", "renamed"}

// TestCompactCrash takes the files as they are at each step: as if the machine had stopped there. The store is whole, and a
// compaction after it succeeds.
func TestCompactCrash(t *testing.T) {
	path := sparse(t)
	before := contents(t, path)
	for _, at := range compactSteps {
		snapshot := filepath.Join(t.TempDir(), "store.db")
		c := compaction{path: path, step: func(done string) error {
			if done != at {
				return nil
			}
			var err error
			for _, suffix := range []string{"", suffix} {
				if data, missing := os.ReadFile(path + suffix); missing == nil {
					err = errors.Join(err, os.WriteFile(snapshot+suffix, data, 0o600))
				}
			}
			return err
		}}
		if _, err := c.run(); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if contents(t, snapshot) != before || contents(t, path) != before {
			t.Errorf("%s: the contents have changed", at)
		}
		s, err := Open(snapshot, nil)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		mustCompact(t, snapshot)
		if contents(t, snapshot) != before {
			t.Errorf("%s: the contents have changed by the next compaction", at)
		}
		alone(t, snapshot)
	}
}

// TestCompactFails lets each step fail: the store is as it was, and nothing is left beside it.
func TestCompactFails(t *testing.T) {
	path := sparse(t)
	before := contents(t, path)
	for _, at := range compactSteps {
		cause := errors.New(at)
		c := compaction{path: path, step: func(done string) error {
			if done == at {
				return cause
			}
			return nil
		}}
		if _, err := c.run(); !errors.Is(err, cause) {
			t.Errorf("%s: %v", at, err)
		}
		if contents(t, path) != before {
			t.Errorf("%s: the contents have changed", at)
		}
		alone(t, path)
	}
}

func TestCompactRefuses(t *testing.T) {
	path := sparse(t)
	before := contents(t, path)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("hello, world"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want error
	}{
		{path, backend.ErrUnavailable}, // in use
		{text, backend.ErrCorrupt},
		{filepath.Dir(path), backend.ErrInvalid},
		{path + "no", fs.ErrNotExist},
		{path + "no", backend.ErrRejected},
	} {
		if _, err := Compact(c.path, &Options{Timeout: time.Millisecond}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", filepath.Base(c.path), err, c.want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if contents(t, path) != before {
		t.Error("the contents have changed")
	}
	alone(t, path)
	alone(t, text)
}

// TestCompactForReading wants the file to be locked for writing, whatever the options say.
func TestCompactForReading(t *testing.T) {
	path := sparse(t)
	reader, err := Open(path, &Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	o := &Options{ReadOnly: true, Timeout: time.Millisecond}
	if _, err := Compact(path, o); !errors.Is(err, backend.ErrUnavailable) {
		t.Errorf("beside a reader: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if done, err := Compact(path, o); err != nil || done.After >= done.Before {
		t.Errorf("%+v, %v", done, err)
	}
	alone(t, path)
}

// TestCompactWhileAnotherOpens replaces the file just after another process has opened it, and before that has locked it:
// what is written then is in the new file.
func TestCompactWhileAnotherOpens(t *testing.T) {
	path := sparse(t)
	replaced := false
	o := &Options{OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, perm)
		if err == nil && flag&os.O_RDWR != 0 && !replaced {
			replaced = true
			mustCompact(t, path)
		}
		return f, err
	}}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), []backend.Write{add(key("late"))}, make([]backend.Outcome, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !replaced || !bytes.Contains([]byte(contents(t, path)), []byte("late")) {
		t.Errorf("replaced: %v; what was written is lost", replaced)
	}
}
