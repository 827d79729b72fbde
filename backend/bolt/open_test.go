package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

func mustWrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustReadFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mustMake makes a store with a few records, and closes it.
func mustMake(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "store.db")
	s := mustOpen(t, path, &bolt.Options{NoSync: true})
	for i := range 200 {
		if err := s.Apply(t.Context(), []backend.Write{acquire(keyOf(i))}, make([]backend.Outcome, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustUpdate writes into a file as a program does that uses bbolt.
func mustUpdate(t *testing.T, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		data := mustReadFile(t, path)
		data[at] ^= 0x10
		mustWrite(t, path, data)
	}
}

func put(name, key, value string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		mustUpdate(t, path, func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			return b.Put([]byte(key), []byte(value))
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	pageSize := os.Getpagesize()
	cut := func(size int) func(*testing.T, string) {
		return func(t *testing.T, path string) { mustWrite(t, path, mustReadFile(t, path)[:size]) }
	}
	write := func(data string) func(*testing.T, string) {
		return func(t *testing.T, path string) { mustWrite(t, path, []byte(data)) }
	}
	foreign := func(t *testing.T, path string) {
		mustWrite(t, path, nil)
		put("somebody", "k", "v")(t, path)
	}
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		is    error
		text  string
	}{
		{"a text", write("hello, world"), backend.ErrCorrupt, "another file"},
		{"a long text", write(strings.Repeat("hello, world", 10_000)), backend.ErrCorrupt, "another file"},
		{"zeros", write(string(make([]byte, 1<<16))), backend.ErrCorrupt, "another file"},
		{"a bbolt file of another program", foreign, backend.ErrCorrupt, "another program"},
		{"another format", put("meta", "format", "other"), backend.ErrCorrupt, "another program"},
		{"a newer version", put("meta", "version", "2"), backend.ErrInvalid, "version 2"},
		{"an older version", put("meta", "version", "0"), backend.ErrInvalid, "version 0"},
		{"hardly a first page", cut(50), backend.ErrCorrupt, "another file"},
		{"half of the first page", cut(pageSize / 2), backend.ErrCorrupt, "second copy"},
		{"half of the second page", cut(pageSize + 100), backend.ErrCorrupt, "end is missing"},
		{"no end", cut(4 * pageSize), backend.ErrCorrupt, "end is missing"},
		{"a flipped bit in the first page", flip(16 + 40), backend.ErrCorrupt, "first page"},
		{"a flipped bit in the second page", flip(pageSize + 16 + 44), backend.ErrCorrupt, "second copy"},
		{"flipped magic", flip(16), backend.ErrCorrupt, "first page"},
		{"no records", func(t *testing.T, path string) {
			mustUpdate(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("records")) })
		}, backend.ErrCorrupt, "no records"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := mustMake(t)
			tt.spoil(t, path)
			before := mustReadFile(t, path)
			s, err := bolt.Open(path, nil)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, not %v with the path and %q", err, tt.is, tt.text)
			}
			if !bytes.Equal(before, mustReadFile(t, path)) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestDamagedPages flips bytes of each page in turn: there may be errors, or wrong records, but no end of the program.
func TestDamagedPages(t *testing.T) {
	path := mustMake(t)
	good := mustReadFile(t, path)
	pageSize := os.Getpagesize()
	refused := 0
	for page := 2; page*pageSize < len(good); page++ {
		data := bytes.Clone(good)
		for at := page * pageSize; at < min((page+1)*pageSize, page*pageSize+256); at++ {
			data[at] ^= 0xFF
		}
		mustWrite(t, path, data)
		s, err := bolt.Open(path, &bolt.Options{NoSync: true})
		if err != nil {
			refused++
			continue
		}
		read := make([]backend.Record, 1)
		for i := range 200 {
			read[0].Reset(bucket)
			err = errors.Join(err, s.Read(t.Context(), []backend.Key{keyOf(i)}, read),
				s.Apply(t.Context(), []backend.Write{acquire(keyOf(i))}, make([]backend.Outcome, 1)))
		}
		for _, index := range []bool{true, false} {
			_, e := s.List(t.Context(), backend.Query{Namespace: "default", Partition: "e", Index: index, Size: 1000})
			err = errors.Join(err, e)
		}
		if _, e := s.Sweep(t.Context(), 2_000_000_000); e != nil {
			err = errors.Join(err, e)
		}
		if err != nil {
			refused++
		}
		s.Close()
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

func TestOpenMakesAFile(t *testing.T) {
	folder := t.TempDir()
	half := func(path string) { mustUpdate(t, path, func(*bbolt.Tx) error { return nil }) }
	for name, prepare := range map[string]func(path string){
		"none":      func(string) {},
		"empty":     func(path string) { mustWrite(t, path, nil) },
		"half made": half, // the process died between bbolt's first write and ours
	} {
		path := filepath.Join(folder, name)
		prepare(path)
		s := mustOpen(t, path, nil)
		if err := s.Apply(t.Context(), []backend.Write{acquire(keyOf(1))}, make([]backend.Outcome, 1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mustOpen(t, path, nil)
	}
}

func TestOpenWithoutAFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "store")
	if _, err := bolt.Open(path, nil); !errors.Is(err, backend.ErrRejected) || !strings.Contains(err.Error(), "create it") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("the folder was made")
	}
	if _, err := bolt.Open(filepath.Dir(filepath.Dir(path)), nil); !errors.Is(err, backend.ErrInvalid) {
		t.Errorf("a folder is opened as a file: %v", err)
	}
}

func TestOpenWithoutAPath(t *testing.T) {
	for _, o := range []*bolt.Options{nil, {ReadOnly: true}} {
		if _, err := bolt.Open("", o); !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "name a file") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	path := mustMake(t)
	first := mustOpen(t, path, nil)
	_, err := bolt.Open(path, &bolt.Options{Timeout: 1})
	if !errors.Is(err, backend.ErrUnavailable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
	if err := first.Apply(t.Context(), []backend.Write{acquire(keyOf(1))}, make([]backend.Outcome, 1)); err != nil {
		t.Errorf("the first to open it: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	mustOpen(t, path, &bolt.Options{Timeout: 1})
}

// TestOpenFile counts what is opened, and how.
func TestOpenFile(t *testing.T) {
	var flags []int
	o := &bolt.Options{OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		flags = append(flags, flag)
		return os.OpenFile(name, flag, perm)
	}}
	path := mustMake(t)
	mustOpen(t, path, o)
	for i, flag := range flags {
		if last := i == len(flags)-1; last != (flag&os.O_RDWR != 0) {
			t.Errorf("file %d of %d was opened with %#x: only the last is for writing", i+1, len(flags), flag)
		}
	}
	cause := errors.New("no")
	_, err := bolt.Open(path, &bolt.Options{OpenFile: func(string, int, os.FileMode) (*os.File, error) { return nil, cause }})
	if !errors.Is(err, cause) || !errors.Is(err, backend.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestFeedIsRefusedWhereNoneIsKept(t *testing.T) {
	s := mustOpen(t, mustMake(t), nil)
	_, err := s.Feed(t.Context(), nil, 1, nil)
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "Options.Feed") {
		t.Errorf("got %v, not an ErrInvalid that names the option", err)
	}
}

// TestFieldOfANewerProgram is not lost by an older one.
func TestFieldOfANewerProgram(t *testing.T) {
	older := backend.NewLayout("older", bucketFields()[:5]...)
	path := mustMake(t)
	s := mustOpen(t, path, nil)
	read := make([]backend.Record, 1)
	read[0].Reset(older)
	if err := s.Read(t.Context(), []backend.Key{keyOf(1)}, read); !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("Read: %v", err)
	}
	w := backend.Write{Key: keyOf(1), Layout: older, Effects: []backend.Effect{{Op: backend.Set}}}
	err := s.Apply(t.Context(), []backend.Write{w}, make([]backend.Outcome, 1))
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), fmt.Sprint(keyOf(1))) {
		t.Errorf("Apply: %v, which should name the record", err)
	}
	newer := backend.NewLayout("newer", append(bucketFields(), backend.Field{Name: "more"})...)
	read[0].Reset(newer)
	if err := s.Read(t.Context(), []backend.Key{keyOf(1)}, read); err != nil || read[0].Int64(0) != 3 {
		t.Errorf("a layout with a field more reads %d, %v", read[0].Int64(0), err)
	}
}
