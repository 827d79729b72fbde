package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// TestMain makes the program, and one that waits for a signal, commands of this process's PATH.
func TestMain(m *testing.M) {
	_ = os.Unsetenv("COLUMNS") // which help would heed
	// Else each process sleeps for a second at its end, under the race detector.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	testscript.Main(dynamotest.Wrap(m), map[string]func(){
		"zae-limiter": main, "await-signal": awaitSignal, "fake-dynamodb": fakeDynamoDB,
	})
}

// awaitSignal says that it is ready, and ends with 7 and the signal's name once it got one.
func awaitSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals)
	fmt.Fprintln(os.Stdout, "ready")
	for s := range signals {
		if s.String() != "urgent I/O condition" { // which the runtime sends to itself
			fmt.Fprintln(os.Stdout, "got", s)
			os.Exit(7)
		}
	}
}

// shell runs commands in this process, each a second later than the one before, on a store of their own.
type shell struct {
	t        *testing.T
	file     string
	env      map[string]string
	now      time.Time
	clock    sync.Mutex // of now, while a command runs: a call of the store that was given up goes on for a moment
	in       string
	terminal bool
	tidies   bool
	virtual  bool // time passes by itself, in a bubble of synctest
	slept    []time.Duration
	sleeping func() // called by each sleep

	openFile func(string, int, os.FileMode) (*os.File, error) // of the store; nil: os.OpenFile
}

// result is how a command ended.
type result struct {
	code     int
	out, err string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	file := filepath.Join(t.TempDir(), "limiter.db")
	return &shell{
		t: t, file: file, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		env: map[string]string{
			"ZAE_LIMITER_STORE": "bolt://" + filepath.ToSlash(file), "USER": "ann",
			"XDG_DATA_HOME": filepath.Join(filepath.Dir(file), "data"),
		},
	}
}

func (s *shell) run(args ...string) result { return s.runContext(s.t.Context(), args...) }

func (s *shell) runContext(ctx context.Context, args ...string) result {
	s.t.Helper()
	var out, err bytes.Buffer
	w := s.world()
	w.Out, w.Err = &out, &err
	code := run(ctx, args, w)
	s.pass(time.Second)
	return result{code, s.clean(out.String()), s.clean(err.String())}
}

func (s *shell) time() time.Time {
	s.clock.Lock()
	defer s.clock.Unlock()
	return s.now
}

func (s *shell) pass(d time.Duration) {
	s.clock.Lock()
	defer s.clock.Unlock()
	s.now = s.now.Add(d)
}

// world is the shell's, with nobody to read what is written.
func (s *shell) world() world {
	w := s.frozen()
	if s.virtual {
		offset := time.Until(s.now)
		w.Now = func() time.Time { return time.Now().Add(offset) }
		w.Sleep = pause.For
	}
	return w
}

// frozen is the world in which time stands still while a command does anything but sleep.
func (s *shell) frozen() world {
	return world{
		In: strings.NewReader(s.in), Out: io.Discard, Err: io.Discard,
		Terminal: func(any) bool { return s.terminal },
		Size:     func(any) (int, int) { return 80, 24 },
		Raw:      func(any) (func(), error) { return func() {}, nil },
		Getenv:   func(name string) string { return s.env[name] },
		Hostname: func() (string, error) { return "host", nil },
		Now:      s.time,
		Sleep: func(ctx context.Context, d time.Duration) error {
			s.slept = append(s.slept, d)
			s.pass(d)
			if s.sleeping != nil {
				s.sleeping()
			}
			return ctx.Err()
		},
		Seldom:   func() bool { return s.tidies },
		OpenFile: s.openFile,
	}
}

var eventID = regexp.MustCompile(`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`)

// clean leaves out what differs from run to run.
func (s *shell) clean(text string) string {
	text = strings.ReplaceAll(text, filepath.ToSlash(s.file), "/STORE")
	text = strings.ReplaceAll(text, s.file, "/STORE")
	return eventID.ReplaceAllString(text, "ULID")
}

// want runs a command that ends with a code.
func (s *shell) want(code int, args ...string) result {
	s.t.Helper()
	r := s.run(args...)
	if r.code != code {
		s.t.Fatalf("zae-limiter %s: exit code %d, not %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// must runs commands that succeed, one a line.
func (s *shell) must(lines string) {
	s.t.Helper()
	for line := range strings.Lines(lines) {
		if args := fields(line); len(args) > 0 {
			s.want(exitDone, args...)
		}
	}
}

// fields splits a command line as a shell does, as far as examples and tests need it: at blanks, outside double quotes.
func fields(line string) []string {
	var all []string
	quoted, word := false, false
	for _, r := range strings.TrimSpace(line) + " " {
		switch {
		case r == '"':
			quoted = !quoted
			if !word {
				all, word = append(all, ""), true
			}
		case r == ' ' && !quoted:
			word = false
		case !word:
			all, word = append(all, string(r)), true
		default:
			all[len(all)-1] += string(r)
		}
	}
	return all
}

// inhabited is a store with one of everything.
func inhabited(t *testing.T) *shell {
	t.Helper()
	s := newShell(t)
	once.Do(func() {
		s.must(`
			system set-defaults -l rpm:1000 -l tpm:10000
			resource set-defaults gpt-4 -l rpm:50/hour -l tpm:100000:150000
			entity create team-b --display-name "Team B"
			entity create user-123 --parent team-b --cascade --metadata plan=gold --metadata cost-center=17
			entity set-limits user-premium --resource gpt-4 -l rpm:500/day
			acquire user-123 gpt-4 -c rpm=1
			namespace register team-b team-old
			namespace delete team-old --yes`)
		kept.now = s.now
		kept.file, kept.err = os.ReadFile(s.file)
	})
	s.now = kept.now
	if err := errors.Join(kept.err, os.WriteFile(s.file, kept.file, 0o600)); err != nil {
		t.Fatal(err)
	}
	return s
}

// inFolder makes a folder with a file in it the one in which the test goes on.
func inFolder(t *testing.T, name, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kept is the file of an inhabited store, which once makes.
var (
	once sync.Once
	kept struct {
		file []byte
		now  time.Time
		err  error
	}
)

// golden compares text with a file, or renews that with UPDATE_GOLDEN=1.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make golden makes it", err)
	}
	if text != string(want) {
		t.Errorf("%s is not what is printed; make golden renews it\n--- printed\n%s--- file\n%s", path, text, want)
	}
}

// goldenFiles wants no files but these in a folder of golden files.
func goldenFiles(t *testing.T, folder string, names map[string]bool) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !names[folder+"/"+e.Name()] {
			t.Errorf("testdata/%s/%s is of no use any more", folder, e.Name())
		}
	}
}
