package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/engine"
)

// TestCompactCommand compacts a file of mostly expired records, and checks that live records and the mode do not change.
func TestCompactCommand(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	limits := s.want(exitDone, fields("limits export")...).out
	fillExpired(t, s, 3000)
	if err := os.Chmod(s.file, 0o640); err != nil {
		t.Fatal(err)
	}
	before := sizeOf(t, s.file)
	r := s.want(exitDone, "compact")
	if r.out != "" || !strings.Contains(r.err, "compacted from ") || !strings.HasSuffix(r.err, " in bolt:///STORE\n") {
		t.Errorf("says %q, %q", r.out, r.err)
	}
	info, err := os.Stat(s.file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > before/4 || info.Mode() != 0o640 {
		t.Errorf("the file has %d bytes of %d, and mode %v", info.Size(), before, info.Mode())
	}
	if got := s.want(exitDone, fields("limits export")...).out; got != limits {
		t.Errorf("the limits were\n%s\nand are\n%s", limits, got)
	}
	if _, err := os.Stat(s.file + ".compact"); err == nil {
		t.Error("a file is left beside it")
	}
}

// fillExpired creates records that have expired.
func fillExpired(t *testing.T, s *shell, n int) {
	t.Helper()
	store, err := bolt.Open(s.file, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	limiter, err := engine.New(store, &engine.Options{Now: func() time.Time { return s.now }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		who := fmt.Sprintf("stranger-%d", i)
		if _, err := limiter.Allow(t.Context(), engine.Request{Entity: who, Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(limiter.Close(), store.Close()); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.AddDate(0, 0, 2)
}

func sizeOf(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestCompactCommandElsewhere(t *testing.T) {
	s := inhabited(t)
	for line, code := range map[string]int{
		"--store memory: compact":          exitUsage,
		"--name my-app compact":            exitUsage,
		"--store bolt:main.go compact":     exitFailed,
		"--store bolt:nosuch.db compact":   exitNotFound,
		"--store bolt:nosuch/x.db compact": exitNotFound,
	} {
		if strings.Contains(line, "--name") {
			delete(s.env, "ZAE_LIMITER_STORE")
		}
		if r := s.want(code, fields(line)...); r.out != "" || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: %q, %q", line, r.out, r.err)
		}
	}
}

// TestCompactCommandInUse compacts a file that another process has open.
func TestCompactCommandInUse(t *testing.T) {
	s := inhabited(t)
	other, err := bolt.Open(s.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if r := s.want(exitUnavailable, fields("compact --timeout 10ms")...); !strings.Contains(r.err, "/STORE is in use by another process") {
		t.Error(r.err)
	}
}

func TestSizeText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 KiB", 1: "1 KiB", 32768: "32 KiB", 1 << 20: "1.0 MiB", 3 << 29: "1.5 GiB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d is %q, not %q", n, got, want)
		}
	}
}
