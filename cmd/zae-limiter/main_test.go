package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// TestMain adds the program, and one that waits for a signal, to the PATH of this process.
func TestMain(m *testing.M) {
	_ = os.Unsetenv("COLUMNS") // the help would use it
	// Otherwise each process sleeps for a second at its end, under the race detector.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	debug.SetGCPercent(400) // thousands of commands make much garbage and keep none: a fifth of the processor time
	testscript.Main(dynamotest.Wrap(m), map[string]func(){
		"zae-limiter": main, "await-signal": awaitSignal, "fake-dynamodb": fakeDynamoDB, "fake-load-process": fakeLoadProcess,
	})
}

// awaitSignal prints that it is ready, waits for a signal, prints its name and exits with 7.
func awaitSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals)
	fmt.Fprintln(os.Stdout, "ready")
	for s := range signals {
		if s.String() != "urgent I/O condition" { // the runtime sends it to itself
			fmt.Fprintln(os.Stdout, "got", s)
			os.Exit(7)
		}
	}
}

// shell runs commands in this process on a store of its own; each runs a second later than the one before.
type shell struct {
	t        *testing.T
	file     string
	env      map[string]string
	now      time.Time
	clock    sync.Mutex // guards now: an abandoned call to the store may still run
	in       string
	terminal bool
	columns  int // of the terminal; 0 means 80
	tidies   bool
	virtual  bool // time is that of a synctest bubble
	slept    []time.Duration
	sleeping func() // called by each sleep

	openFile func(string, int, os.FileMode) (*os.File, error) // of the store; nil means os.OpenFile
}

// result is the outcome of a command.
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

// host returns the shell's host, with writers that discard everything.
func (s *shell) world() host {
	w := s.frozen()
	if s.virtual {
		offset := time.Until(s.now)
		w.Now = func() time.Time { return time.Now().Add(offset) }
		w.Sleep = pause.For
	}
	return w
}

// frozen returns a host whose time only advances while a command sleeps.
func (s *shell) frozen() host {
	return host{
		In: strings.NewReader(s.in), Out: io.Discard, Err: io.Discard,
		Terminal: func(any) bool { return s.terminal },
		Size:     func(any) (int, int) { return cmp.Or(s.columns, 80), 24 },
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
		SampleTidy: func() bool { return s.tidies },
		OpenFile:   s.openFile,
	}
}

var eventID = regexp.MustCompile(`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`)

// clean replaces what differs from run to run.
func (s *shell) clean(text string) string {
	text = strings.ReplaceAll(text, filepath.ToSlash(s.file), "/STORE")
	text = strings.ReplaceAll(text, s.file, "/STORE")
	return eventID.ReplaceAllString(text, "ULID")
}

// want runs a command and checks its exit code.
func (s *shell) want(code int, args ...string) result {
	s.t.Helper()
	r := s.run(args...)
	if r.code != code {
		s.t.Fatalf("zae-limiter %s: exit code %d, not %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// must runs commands, one a line, that must succeed.
func (s *shell) must(lines string) {
	s.t.Helper()
	for line := range strings.Lines(lines) {
		if args := fields(line); len(args) > 0 {
			s.want(exitDone, args...)
		}
	}
}

// fields splits a command line at blanks outside of double quotes.
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

// inhabited returns a shell whose store has one of everything.
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

// inFolder creates a folder with a file, and makes it the working directory of the test.
func inFolder(t *testing.T, name, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kept is the file of an inhabited store, created once.
var (
	once sync.Once
	kept struct {
		file []byte
		now  time.Time
		err  error
	}
)

// golden compares text with a file, or updates the file if UPDATE_GOLDEN=1.
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

// goldenFiles checks that a folder has no golden files but these.
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
