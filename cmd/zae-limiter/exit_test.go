package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// mistakes are command lines for an inhabited store, with the exit code and a part of the line on standard error.
var mistakes = []struct {
	code int
	line string
	says string
}{
	{exitDone, "acquire user-123 gpt-4 -c rpm=0 -c tpm=1", "consumed tpm=1 of user-123 on gpt-4 in bolt:///STORE"},
	{exitDone, `entity update team-b --display-name "Team B"`, "nothing to change in bolt:///STORE"},
	{exitDone, `entity update team-b --display-name ""`, "changed team-b in bolt:///STORE"},
	{exitFailed, "entity create team-b", `the entity already exists: "team-b"; change it: zae-limiter entity update`},
	{exitFailed, "entity delete team-b --yes", "the entity has children: \"team-b\"; move them to another parent, or delete with --force"},
	{exitFailed, "entity set-parent team-b --parent user-123", "cycle or a path longer than 8: from child to parent: team-b, user-123, team-b"},
	{exitFailed, "system delete-defaults", "pass --yes"},
	{exitFailed, "--store bolt:main.go entity list", "is not a store of zae-limiter"},
	{exitFailed, "--store bolt:main.go status", "is not a store of zae-limiter"},

	{exitUsage, "acqire user-1 gpt-4 -c rpm=1", `unexpected argument acqire, did you mean "acquire"?; see zae-limiter --help`},
	{exitUsage, "entity sho x", `did you mean "show"?; see zae-limiter entity --help`},
	{exitUsage, "entity show", `expected "<id>"; see zae-limiter entity show --help`},
	{exitUsage, "entity show x --outptu json", `did you mean "--output"?`},
	{exitUsage, "acquire user-1 gpt-4", "missing flags: --consume"},
	{exitUsage, "acquire user-1 gpt-4 -c rpm", `invalid amount "rpm": write the name of a limit and a whole number`},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1.5", `invalid amount "rpm=1.5"`},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 -c rpm=2", "--consume names rpm twice"},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=-1", "--consume rpm -1: must be 0 to 10^15 tokens"},
	{exitUsage, "acquire user-1 gpt-4 -c nosuch=1", "unknown limit: nosuch; configured for user-1 on gpt-4: rpm, tpm; see which limits apply: zae-limiter explain ENTITY RESOURCE"},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 -l rpm", `--limit: limit "rpm": write name:rate[/period][:burst]`},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 -l rpm:1:0", `--limit: limit "rpm:1:0": rate or burst "0": must be 1 to`},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 -l rpm:1/0s", `--limit: limit "rpm:1/0s": period "0s": must be 1 ms to`},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 -l rpm:1/fortnight", `"fortnight": must be s, min, hour or day`},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 -l rpm:1 -l rpm:2", `--limit "rpm": is named twice`},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 --override", "--override needs limits"},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 --wait=-1s", "--wait -1s must not be negative"},
	{exitUsage, "acquire user-1 gpt-4 -c rpm=1 --wait soon", "--wait"},
	{exitUsage, "acquire user-1 gpt-4 ls -c rpm=1", `unexpected argument "ls": write a command to run after --`},
	{exitUsage, "acquire user\t1 gpt-4 -c rpm=1", `entity "user\t1": must be 1 to 256 bytes`},
	{exitUsage, "-N team-b acquire user-1 gpt-4 -c rpm=1", "no limits are configured: user-1 on gpt-4; pass limits, for example -l rpm:100, or set defaults"},
	{exitUsage, "-N team/b status", `--namespace "team/b": must be 1 to 64 bytes`},
	{exitUsage, "--timeout=-1s status", "--timeout -1s must not be negative"},
	{exitUsage, "system set-defaults --on-unavailable fail", `--on-unavailable must be one of "allow","block","local" but got "fail"`},
	{exitUsage, "deploy --architecture mips", `--architecture must be one of "arm64","x86_64" but got "mips"`},
	{exitUsage, "status -o xml", `--output must be one of "table","json","yaml"`},
	{exitUsage, "entity update user-123", "nothing to change: name a property"},
	{exitUsage, "system set-defaults", "nothing to set: pass limits, for example -l rpm:100, or --on-unavailable allow"},
	{exitUsage, "audit list --system -e user-123", "--entity-id and --system can't be used together"},
	{exitUsage, "audit list --system -r gpt-4", "--resource and --system can't be used together"},
	{exitUsage, "local up --name gw", `--name "gw" is not a name of a table: use 3 to 255 of`},
	{exitUsage, `entity set-parent user-123 --parent ""`, "--parent is empty: name a value, or leave the flag out; is a variable of the shell not set?"},
	{exitUsage, `entity create new --parent ""`, "--parent is empty"},
	{exitUsage, `entity update user-123 --parent "" --display-name x`, "--parent is empty"},
	{exitUsage, `entity delete-limits user-123 --resource "" --yes`, "--resource is empty"},
	{exitUsage, `entity set-limits user-123 -r "" -l rpm:1`, "--resource is empty"},
	{exitUsage, `entity delete user-123 --yes -N ""`, "--namespace is empty"},
	{exitUsage, `--store "" entity delete user-123 --yes`, "--store is empty"},
	{exitUsage, `--name "" entity list`, "--name is empty"},
	{exitUsage, "entity set-parent user-123", "missing flags: --parent=ID or --none; see zae-limiter entity set-parent --help"},
	{exitUsage, "entity set-parent user-123 --parent a --none", "--parent and --none can't be used together"},
	{exitUsage, "entity list --limit=-1", "--limit -1 must be at least 1, or 0 for all"},
	{exitUsage, "entity list --after x", `--after "x": must be Next of the page before`},
	{exitUsage, "limits plan", "missing flags: --file=FILE"},
	{exitUsage, "limits plan -f nosuch.yaml", "--file nosuch.yaml: no such file or directory"},
	{exitUsage, "namespace register team-old", `namespace "team-old": is deleted; recover it`},
	{exitUsage, "--store nosuch://x status", `invalid store: unknown kind "nosuch": write bolt:///path/to/file`},
	{exitUsage, "--store dynamodb://x/y status", `invalid store "dynamodb://x/y": write dynamodb://NAME`},
	{exitUsage, "--store x status", `invalid store "x": not a URL`},
	{exitUsage, "--store bolt://x status", `invalid store "bolt://x": no file name`},
	{exitUsage, "--store memory:x status", "nothing may follow memory:"},

	{exitDenied, "acquire user-123 gpt-4 -c rpm=50", "denied: rpm of user-123 on gpt-4: 50 requested, 49 available of 50; rpm of team-b on gpt-4: " +
		"50 requested, 49 available of 50; retry after 1m9s, or pass --wait 1m9s"},
	{exitDenied, "acquire user-123 gpt-4 -c rpm=51", "can never be admitted: consume less, or raise the limit's burst"},

	{exitNotFound, "entity show nobody", `entity not found: "nobody"; create it: zae-limiter entity create`},
	{exitNotFound, "entity delete nobody --yes", `entity not found: "nobody"`},
	{exitNotFound, "entity get-limits user-123", "user-123 has no limits of its own"},
	{exitNotFound, "resource get-defaults gpt-9", "gpt-9 has no default limits: set them with zae-limiter resource set-defaults gpt-9 -l rpm:100"},
	{exitNotFound, "-N team-b system get-defaults", "the system has no default limits: set them with zae-limiter system set-defaults -l rpm:100"},
	{exitNotFound, "-N nosuch acquire user-1 gpt-4 -c rpm=1", `no active namespace of this name: "nosuch"; create it: zae-limiter namespace register`},
	{exitNotFound, "-N team-old resource list", "or, if it is deleted, restore it: zae-limiter namespace recover"},
	{exitNotFound, "reset user-123 gpt-9", "user-123 has no bucket for gpt-9: all its limits are full"},
	{exitNotFound, "namespace show nosuch", `no active namespace of this name: "nosuch"`},

	{exitUnavailable, "--store bolt:main.go/x.db entity list", "main.go/x.db"},
	{exitUnavailable, "--store bolt:nosuch/x.db system set-defaults -l rpm:1", "create it first"},
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	covered := map[int]bool{exitMismatch: true, exitNotStarted: true, exitInterrupted: true} // by tests of their own
	for _, m := range mistakes {
		covered[m.code] = true
		t.Run(m.line, func(t *testing.T) {
			r := inhabited(t).want(m.code, fields(m.line)...)
			if !strings.Contains(r.err, m.says) {
				t.Errorf("standard error has no %q:\n%s", m.says, r.err)
			}
			if strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "zae-limiter: ") {
				t.Errorf("standard error is not one line of ours:\n%s", r.err)
			}
			if m.code != exitDone && r.out != "" {
				t.Errorf("standard output is not empty:\n%s", r.out)
			}
		})
	}
	for _, e := range exitTexts {
		if !covered[e.code] {
			t.Errorf("exit code %d (%s) has no test", e.code, e.text)
		}
	}
}

func TestExitInUse(t *testing.T) {
	s := inhabited(t)
	other, err := bolt.Open(s.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, line := range []string{"acquire user-123 gpt-4 -c rpm=1", "entity list", "system set-defaults -l rpm:1"} {
		if r := s.want(exitUnavailable, append(fields(line), "--timeout", "10ms")...); !strings.Contains(r.err, "/STORE is in use by another process") {
			t.Errorf("%s: %s", line, r.err)
		}
	}
	r := s.want(exitUnavailable, "status", "--timeout", "0s")
	if !strings.Contains(r.out, "reachable  no") || !strings.Contains(r.err, "in use") {
		t.Errorf("status: %s%s", r.out, r.err)
	}
}

// TestExitDamaged damages one page of the file after another. An acquire either succeeds or fails with the exit code for
// damage. Damage never counts as an outage, which the stored policy would admit.
func TestExitDamaged(t *testing.T) {
	alltests.Only(t)
	t.Parallel()
	s := inhabited(t)
	s.want(exitDone, fields("system set-defaults -l rpm:100 --on-unavailable allow")...)
	for i := range 100 {
		s.want(exitDone, fields(fmt.Sprintf("acquire user-%d gpt-4 -c rpm=1", i))...)
	}
	whole, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for at := 2 * os.Getpagesize(); at < len(whole); at += os.Getpagesize() {
		spoilt := bytes.Clone(whole)
		spoilt[at+9] ^= 0x70 // one of the flags for the type of the page
		if err := os.WriteFile(s.file, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		r := s.run(fields("acquire user-42 gpt-4 -c rpm=1 -o json")...)
		switch {
		case r.code == exitFailed && r.out == "" && strings.Contains(r.err, "damaged"):
			damaged++
		case r.code != exitDone || strings.Contains(r.out, `"degraded": true`):
			t.Errorf("page at %d: exit code %d\n%s%s", at, r.code, r.out, r.err)
		}
	}
	if damaged < 3 {
		t.Errorf("%d damaged pages were met", damaged)
	}
}

func TestExitAnotherVersion(t *testing.T) {
	s := newShell(t)
	store, err := bolt.Open(s.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	newer := backend.Effect{Slot: schema.VersionNumber, Op: backend.Set, Num: num.FromInt64(99)}
	err = store.Commit(t.Context(), [16]byte{}, []backend.Write{{Key: schema.Version(), Layout: schema.VersionLayout, Effects: []backend.Effect{newer}}})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	if r := s.want(exitMismatch, "entity", "list"); !strings.Contains(r.err, "it has version 99, this program knows 1") {
		t.Error(r.err)
	}
}

// TestListsSkip checks that lists omit unreadable records, and report them on standard error.
func TestListsSkip(t *testing.T) {
	s := newShell(t)
	s.must("entity create good\nentity create bad")
	store, err := bolt.Open(s.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := schema.Entity("default", "bad")
	spoiled := backend.Effect{Slot: schema.EntityMetadata, Op: backend.Set, Text: "{"}
	err = store.Commit(t.Context(), [16]byte{}, []backend.Write{{Key: key, Layout: schema.EntityLayout, Effects: []backend.Effect{spoiled}}})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	r := s.want(exitDone, "entity", "list")
	if !strings.Contains(r.out, "good") || strings.Contains(r.out, "bad") || !strings.Contains(r.err, "omitted 1 record that cannot be read: ") {
		t.Errorf("%s%s", r.out, r.err)
	}
}

func TestExitInterruptedWhileWaiting(t *testing.T) {
	s := inhabited(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.sleeping = cancel
	r := s.runContext(ctx, fields("acquire user-premium gpt-4 -c rpm=400 --wait 24h")...)
	if r.code != exitDone {
		t.Fatal(r)
	}
	r = s.runContext(ctx, fields("acquire user-premium gpt-4 -c rpm=400 --wait 24h -- echo ran")...)
	if r.code != exitInterrupted || r.out != "" || r.err != "zae-limiter: interrupted\n" || len(s.slept) != 1 {
		t.Errorf("%+v after %v", r, s.slept)
	}
}

// TestExitInterruptedWhileTheStoreIsInUse checks that an interrupted program ends at once even if a call to the store does not.
func TestExitInterruptedWhileTheStoreIsInUse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	released := make(chan struct{})
	defer close(released)
	app := &App{host: newShell(t).world(), Globals: Globals{Namespace: "default", Timeout: time.Hour}}
	app.store = &store{isMissing: func() bool { return false }, open: func() (backend.Backend, error) {
		cancel() // while the program waits for the file
		<-released
		return nil, errNotFound
	}}
	l, err := app.limiter()
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Acquire(ctx, engine.Request{Entity: "a", Resource: "b", Consume: engine.Tokens{"n": 1}})
	if code := app.finish(ctx, app.close(ctx, err)); code != exitInterrupted {
		t.Errorf("exit code %d: %v", code, err)
	}
}

func TestExitInterruptedQuestion(t *testing.T) {
	s := inhabited(t)
	s.terminal = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := s.world()
	w.In = never{}
	if code := run(ctx, fields("system delete-defaults"), w); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

// never is an input that never ends.
type never struct{}

func (never) Read([]byte) (int, error) { select {} }

func TestConfirm(t *testing.T) {
	for answer, code := range map[string]int{"y\n": exitDone, "YES\n": exitDone, "\n": exitFailed, "no\n": exitFailed, "": exitFailed} {
		for _, line := range []string{
			"system delete-defaults", "resource delete-defaults gpt-4", "entity delete user-123",
			"entity delete-limits user-premium -r gpt-4", "namespace delete team-b", "namespace purge team-old",
		} {
			s := inhabited(t)
			s.terminal, s.in = true, answer
			r := s.want(code, fields(line)...)
			if !strings.Contains(r.err, "? [y/N] ") || code == exitFailed && !strings.Contains(r.err, "not confirmed: nothing was changed") {
				t.Errorf("%s, answered %q: %s", line, answer, r.err)
			}
			s.terminal = false
			if r := inhabited(t).want(exitFailed, fields(line)...); !strings.Contains(r.err, "pass --yes") {
				t.Errorf("%s with nobody there: %s", line, r.err)
			}
		}
	}
}
