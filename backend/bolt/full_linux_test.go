package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

func init() { roles["fill"] = fill }

// fill writes until the file may not grow, then lets it grow, and writes on.
func fill(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := bolt.Open(path, &bolt.Options{Feed: true})
	if err != nil {
		return err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: before.Max}); err != nil {
		return err
	}
	acknowledged, failed := 0, 0
	for i := 0; failed < 20; i++ {
		n, err := counted(s, i, strings.Repeat("x", 20_000))
		switch {
		case err == nil:
			acknowledged++
			if n != 1 {
				return fmt.Errorf("record %d was written once and says %d", i, n)
			}
		case !errors.Is(err, backend.ErrUnavailable) || !strings.Contains(err.Error(), syscall.EFBIG.Error()):
			return fmt.Errorf("on a full disk: %w", err)
		default:
			failed++
			if err := mustBe(s, i, 0); err != nil {
				return err
			}
			i-- // again
		}
	}
	if acknowledged == 0 {
		return errors.New("nothing fits")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	for i := acknowledged; i < 2*acknowledged; i++ {
		if _, err := counted(s, i, "later"); err != nil {
			return fmt.Errorf("on a disk with room again: %w", err)
		}
	}
	for i := range 2 * acknowledged {
		if err := mustBe(s, i, 1); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stdout, 2*acknowledged)
	return s.Close()
}

func counted(s *bolt.Store, i int, text string) (int64, error) {
	w := backend.Write{Key: keyOf(i), Layout: bucket, Effects: []backend.Effect{
		{Op: backend.Add, Num: backend.Int(1)}, {Slot: bucket.MustSlot("l"), Op: backend.Set, Text: text},
	}}
	out := make([]backend.Outcome, 1)
	err := s.Apply(background, []backend.Write{w}, out)
	return out[0].Record.Int64(0), err
}

func mustBe(s *bolt.Store, i int, want int64) error {
	read := make([]backend.Record, 1)
	read[0].Reset(bucket)
	if err := s.Read(background, []backend.Key{keyOf(i)}, read); err != nil {
		return err
	}
	if n := read[0].Int64(0); n != want {
		return fmt.Errorf("record %d says %d, not %d", i, n, want)
	}
	return nil
}

func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	cmd := child(t, "fill", path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var n int
	if _, err := fmt.Sscan(string(out), &n); err != nil || n == 0 {
		t.Fatalf("the child says %q", out)
	}
	s := mustOpen(t, path, nil)
	for i := range n {
		if err := mustBe(s, i, 1); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestTruncatedUnderneath reads pages that are not there any more: an error, and no end of the program.
func TestTruncatedUnderneath(t *testing.T) {
	path := mustMake(t)
	s := mustOpen(t, path, nil)
	if err := os.Truncate(path, 2*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	read := make([]backend.Record, 1)
	read[0].Reset(bucket)
	if err := s.Read(t.Context(), []backend.Key{keyOf(1)}, read); !errors.Is(err, backend.ErrCorrupt) || errors.Is(err, backend.ErrUnavailable) {
		t.Errorf("Read: %v", err)
	}
	if err := s.Apply(t.Context(), []backend.Write{acquire(keyOf(1))}, make([]backend.Outcome, 1)); err == nil {
		t.Error("Apply took effect")
	}
}
