package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
)

// manifestOf writes a manifest with n entities and returns the name of its file.
func manifestOf(t *testing.T, n, rate int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("entities:\n  org: {}\n")
	for i := range n {
		fmt.Fprintf(&text, "  e%d: {parent: org, limits: {rpm: %d}}\n", i, rate)
	}
	name := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLimitsOnTerminal(t *testing.T) {
	s := inhabited(t)
	s.must(applied)
	s.terminal, s.env["TERM"], s.in = true, "xterm", "n\n"
	r := s.want(exitFailed, "limits", "apply", "-f", "testdata/limits.yaml")
	for _, line := range []string{
		"\x1b[33m~ system\x1b[0m\n", "\x1b[32m    + on_unavailable: allow\x1b[0m\n", "\x1b[31m- resources.old\x1b[0m\n",
		"\x1b[36m^ resources.gpt-4 (unchanged, managed from now on)\x1b[0m\n",
	} {
		if !strings.Contains(r.out, line) {
			t.Errorf("%q lacks %q", r.out, line)
		}
	}
	if !strings.HasSuffix(r.err, "zae-limiter: Make 8 changes, of which 3 remove something? [y/N] zae-limiter: not confirmed: nothing was changed\n") {
		t.Errorf("asked %q", r.err)
	}
	s.env["NO_COLOR"] = "1"
	if plain := s.want(exitDone, "limits", "plan", "-f", "testdata/limits.yaml").out; strings.Contains(plain, "\x1b") {
		t.Errorf("with NO_COLOR: %q", plain)
	}
	s.in = "y\n"
	if r := s.want(exitDone, "limits", "apply", "-f", "testdata/limits.yaml"); !strings.Contains(r.err, "made 8 changes of the manifest default in bolt:///STORE") {
		t.Errorf("%q", r.err)
	}
}

// Control characters in a file or a store do not reach the terminal.
func TestLimitsControlCharacters(t *testing.T) {
	s := newShell(t)
	s.in = "system: {\"\\e[2J\\u009b\": 1}\n"
	if r := s.want(exitUsage, "limits", "plan", "-f", "-"); strings.ContainsAny(r.err, "\x1b\u009b") || !strings.Contains(r.err, "system.?[2J?: unknown key") {
		t.Errorf("%q", r.err)
	}
	s.want(exitDone, "entity", "create", "eve", "--display-name", "\x1b[2J\u009b")
	export := s.want(exitDone, "limits", "export").out
	if strings.ContainsAny(export, "\x1b\u009b") || !strings.Contains(export, `name: "\u001b[2J\u009b"`) {
		t.Errorf("%q", export)
	}
	s.in = export
	if r := s.want(exitDone, "limits", "plan", "-f", "-"); !strings.Contains(r.out, "0 to add, 0 to change, 0 to remove, 1 to adopt") {
		t.Errorf("%q", r.out)
	}
}

// An interrupted apply reports how many changes were made; applying again makes the rest.
func TestLimitsInterrupted(t *testing.T) {
	s := newShell(t)
	file := manifestOf(t, 300, 10)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, err bytes.Buffer
	w := s.world()
	w.Out, w.Err = &out, &err
	var calls atomic.Int64
	now := s.now // not the shell's: an interrupted call to the store continues for a moment
	w.Now = func() time.Time {
		if calls.Add(1) == 80 {
			cancel()
		}
		return now
	}
	code := run(ctx, []string{"limits", "apply", "-f", file, "--yes"}, w)
	if code != exitInterrupted || !strings.Contains(err.String(), "of 601 changes were made; apply again to make the rest") ||
		!strings.HasSuffix(err.String(), "zae-limiter: interrupted\n") {
		t.Fatalf("exit code %d, %q", code, err.String())
	}
	plan := s.want(exitDone, "limits", "plan", "-f", file).out
	var left, made int
	if _, err := fmt.Sscanf(plan[strings.LastIndex(plan, "\n\n")+2:], "%d to add, 0 to change, 0 to remove, 0 to adopt; %d unchanged", &left, &made); err != nil {
		t.Fatalf("%v: %s", err, plan)
	}
	var said int // what was under way may have been made, too
	if at := strings.Index(err.String(), "at least "); at < 0 {
		t.Errorf("%q has no count", err.String())
	} else if _, err := fmt.Sscanf(err.String()[at:], "at least %d of 601", &said); err != nil || said > made {
		t.Errorf("at least %d are said to be made, and %d were: %v", said, made, err)
	}
	if left == 0 || made == 0 || left+made != 601 {
		t.Errorf("%d are left and %d were made", left, made)
	}
	s.want(exitDone, "limits", "apply", "-f", file, "--yes")
	s.want(exitDone, "limits", "diff", "-f", file)
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		want     string
	}{
		{false, "zae-limiter: 50 of 100 changes made\nzae-limiter: 100 of 100 changes made\n"},
		{true, "\r[==========                              ] 25 of 100 changes made" +
			"\r[====================                    ] 50 of 100 changes made" +
			"\r[========================================] 100 of 100 changes made\r\x1b[K"},
	} {
		s := newShell(t)
		s.terminal, s.env["TERM"] = c.terminal, "xterm"
		var said bytes.Buffer
		w := s.world()
		w.Err = &said
		p := (&App{host: w}).progress("changes made", 100)
		for _, step := range []struct {
			after time.Duration
			done  int
		}{{50 * time.Millisecond, 10}, {60 * time.Millisecond, 25}, {5 * time.Second, 50}, {5 * time.Second, 100}} {
			s.now = s.now.Add(step.after)
			p.update(step.done)
		}
		p.end()
		if said.String() != c.want {
			t.Errorf("terminal %t: %q\nnot %q", c.terminal, said.String(), c.want)
		}
	}
}

// Thousands of entities take few calls to the store, each of which opens the file.
func TestLimitsCalls(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	file := manifestOf(t, 2000, 10)
	app := &App{host: s.world()}
	app.Namespace, app.Timeout, app.Store = "default", time.Second, s.env["ZAE_LIMITER_STORE"]
	if _, err := app.limiter(); err != nil {
		t.Fatal(err)
	}
	opened, open := 0, app.store.open
	app.store.open = func() (backend.Backend, error) {
		opened++
		return open()
	}
	c := &limitsApplyCmd{manifestFile: manifestFile{File: file}, Confirm: Confirm{Yes: true}, Output: Output{formatTable}}
	if err := c.Run(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	if most := 220; opened > most { // for 4,001 settings; there was nothing to be read
		t.Errorf("the file was opened %d times, of %d at the most", opened, most)
	}
}

// An interruption ends a command that reads a manifest from a terminal or a pipe.
func TestManifestFromStandardInputIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := newShell(t).world()
	var text bytes.Buffer
	w.In, w.Err = never{}, &text
	if code := run(ctx, []string{"limits", "plan", "-f", "-"}, w); code != exitInterrupted || text.String() != "zae-limiter: interrupted\n" {
		t.Errorf("exit code %d: %s", code, text.String())
	}
}
