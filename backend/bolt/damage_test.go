package bolt_test

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

// TestDamagedPage damages one page after the other under an open store. Each call succeeds, or finds the file damaged: never
// is the store taken for one that is out of reach, which a policy may let through.
func TestDamagedPage(t *testing.T) {
	path := mustMake(t)
	s := mustOpen(t, path, &bolt.Options{NoSync: true})
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	corrupt := map[string]int{}
	calls := map[string]func() error{
		"Read": func() error {
			keys, read := make([]backend.Key, 200), make([]backend.Record, 200)
			for i := range keys {
				keys[i] = keyOf(i)
				read[i].Reset(bucket)
			}
			return s.Read(t.Context(), keys, read)
		},
		"Apply": func() error {
			writes := make([]backend.Write, 200)
			for i := range writes {
				writes[i] = acquire(keyOf(i))
			}
			return s.Apply(t.Context(), writes, make([]backend.Outcome, 200))
		},
		"Commit": func() error { return s.Commit(t.Context(), [16]byte{}, []backend.Write{acquire(keyOf(1))}) },
		"List": func() error {
			_, err := s.List(t.Context(), backend.Query{Namespace: keyOf(1).Namespace, Partition: keyOf(1).Partition, Size: 1000})
			return err
		},
		"Scan": func() error {
			_, _, err := s.Scan(t.Context(), keyOf(1).Namespace, "", 1000)
			return err
		},
		"Sweep": func() error {
			_, err := s.Sweep(t.Context(), 1<<40)
			return err
		},
	}
	damagePages := func(name string) {
		for at := 2 * int64(os.Getpagesize()); at < info.Size(); at += int64(os.Getpagesize()) {
			var flags [2]byte
			if _, err := file.ReadAt(flags[:], at+8); err != nil {
				t.Fatal(err)
			}
			bad := binary.NativeEndian.AppendUint16(nil, 0x7000)
			if _, err := file.WriteAt(bad, at+8); err != nil {
				t.Fatal(err)
			}
			err := calls[name]()
			switch {
			case errors.Is(err, backend.ErrUnavailable), errors.Is(err, backend.ErrOutcomeUnknown), err != nil && !errors.Is(err, backend.ErrCorrupt):
				t.Errorf("%s, with a damaged page at %d: %v", name, at, err)
			case err != nil:
				corrupt[name]++
			}
			if _, err := file.WriteAt(flags[:], at+8); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"Read", "List", "Scan", "Apply", "Commit", "Sweep"} {
		damagePages(name)
	}
	for range 100 { // a commit moves the page that the next one reads, so a round may miss it each time
		if corrupt["Commit"] == 0 {
			damagePages("Commit")
		}
	}
	for name := range calls {
		if corrupt[name] == 0 && name != "Sweep" {
			t.Errorf("%s met no damaged page", name)
		}
	}
}
