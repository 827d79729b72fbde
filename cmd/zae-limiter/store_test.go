package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

func TestStoreURL(t *testing.T) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	here := "bolt://" + withLeadingSlash(filepath.ToSlash(folder))
	home := func(name string) string {
		return map[string]string{"HOME": "/home/ann", "LocalAppData": "/home/ann"}[name]
	}
	for name, want := range map[string]string{
		"bolt:///var/x.db":   "bolt:///var/x.db",
		"bolt:/var/x.db":     "bolt:///var/x.db",
		"bolt:x.db":          here + "/x.db",
		"bolt:./a/x.db":      here + "/a/x.db",
		"bolt:///a%20b/x.db": "bolt:///a b/x.db",
		"bolt:///a b/x.db":   "bolt:///a b/x.db",
		"memory:":            "memory: (gone when this command ends)",
		"bolt://x.db":        "",
		"bolt:":              "",
		"bolt:///":           "",
		"bolt:///x.db?a=b":   "",
		"memory:x":           "",
		"x.db":               "",
		"dynamodb://my-app":  "dynamodb://my-app",
		"dynamodb://my-app?region=eu-west-1&endpoint=http%3A%2F%2Flocalhost%3A8000": "dynamodb://my-app?region=eu-west-1&endpoint=http%3A%2F%2Flocalhost%3A8000",
		"dynamodb://":                         "",
		"dynamodb://my-app/x":                 "",
		"dynamodb://my-app?zone=1":            "",
		"dynamodb://my-app#x":                 "",
		"dynamodb://my-app?region=a&region=b": "",
		"redis://localhost/17":                "",
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(want, "bolt:///") {
			continue // absolute paths have a drive there
		}
		s, err := openStore(name, 0, home)
		var asked *usageError
		switch {
		case err != nil && (want != "" || !errors.As(err, &asked)):
			t.Errorf("%s: %v", name, err)
		case err == nil && s.url != want:
			t.Errorf("%s is %s, not %s", name, s.url, want)
		}
	}
}

func TestStoreDefault(t *testing.T) {
	for _, c := range []struct{ system, variables, want string }{
		{"linux", "HOME=/home/ann", "/home/ann/.local/share"},
		{"linux", "HOME=/home/ann XDG_DATA_HOME=/data", "/data"},
		{"linux", "HOME=/home/ann XDG_DATA_HOME=data", "/home/ann/.local/share"},
		{"darwin", "HOME=/Users/ann", "/Users/ann/Library/Application Support"},
		{"windows", "LocalAppData=/Users/ann/AppData/Local", "/Users/ann/AppData/Local"},
		{"linux", "", ""},
	} {
		got, err := dataFolder(c.system, func(name string) string {
			for _, v := range strings.Fields(c.variables) {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value
				}
			}
			return ""
		})
		if filepath.ToSlash(got) != c.want || errors.Is(err, errNoDataFolder) != (c.want == "") {
			t.Errorf("%s, %s: %s, %v", c.system, c.variables, got, err)
		}
	}
}

// TestStoreDefaultIsMade checks that the first change creates the default store, in a folder that only its owner can read.
func TestStoreDefaultIsMade(t *testing.T) {
	s := newShell(t)
	data := filepath.Join(t.TempDir(), "share")
	s.env = map[string]string{"XDG_DATA_HOME": data}
	s.want(exitDone, "resource", "list")
	if _, err := os.Stat(data); err == nil {
		t.Error("a command that only reads has made the folder")
	}
	r := s.want(exitDone, "system", "set-defaults", "-l", "rpm:1")
	file := filepath.Join(data, "zae-limiter", "limiter.db")
	if !strings.Contains(r.err, "set the system's limits in bolt://"+withLeadingSlash(filepath.ToSlash(file))) {
		t.Error(r.err)
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	s.env = map[string]string{}
	if r := s.want(exitFailed, "status"); !strings.Contains(r.err, "name a store") {
		t.Error(r.err)
	}
}

// TestStoreReadersMakeNothing checks that commands that only read see an empty store and create nothing if there is none.
func TestStoreReadersMakeNothing(t *testing.T) {
	for line, code := range map[string]int{
		"available user-1 gpt-4 -l rpm:1":            exitDone,
		"available user-1 gpt-4":                     exitUsage,
		"acquire user-1 gpt-4 -c rpm=2 -l rpm:1":     exitDenied,
		"explain user-1 gpt-4":                       exitDone,
		"reset user-1 gpt-4":                         exitNotFound,
		"system get-defaults":                        exitNotFound,
		"system delete-defaults --yes":               exitDone,
		"resource get-defaults gpt-4":                exitNotFound,
		"resource list":                              exitDone,
		"entity show user-1":                         exitNotFound,
		"entity list":                                exitDone,
		"entity list --with-custom-limits gpt-4":     exitDone,
		"entity children user-1":                     exitDone,
		"entity get-limits user-1":                   exitNotFound,
		"entity delete-limits user-1 --yes":          exitDone,
		"entity delete user-1 --yes":                 exitNotFound,
		"entity update user-1 --display-name Ann":    exitNotFound,
		"namespace list":                             exitDone,
		"namespace show default":                     exitDone,
		"namespace show team-a":                      exitNotFound,
		"namespace purge team-a --yes":               exitNotFound,
		"-N team-a resource list":                    exitNotFound,
		"audit list":                                 exitDone,
		"status":                                     exitDone,
		"version":                                    exitDone,
		"--store bolt:nosuch/folder/x.db audit list": exitDone,
	} {
		s := newShell(t)
		s.want(code, fields(line)...)
		if made, err := os.ReadDir(filepath.Dir(s.file)); err != nil || len(made) > 0 {
			t.Errorf("%s has made %v, %v", line, made, err)
		}
	}
	if _, err := os.Stat("nosuch"); err == nil {
		t.Error("a folder was made")
	}
}

func TestStoreInMemory(t *testing.T) {
	s := newShell(t)
	r := s.want(exitDone, fields("--store memory: acquire user-1 gpt-4 -c rpm=1 -l rpm:1")...)
	if !strings.Contains(r.err, "in memory: (gone when this command ends)") {
		t.Error(r.err)
	}
	s.want(exitDone, fields("--store memory: entity create user-1")...) // several calls use the same store
	s.want(exitNotFound, fields("--store memory: entity show user-1")...)
}

// TestStoreIsClosedBetweenCalls opens the file between two calls of a store.
func TestStoreIsClosedBetweenCalls(t *testing.T) {
	s := inhabited(t)
	ours, err := openStore(s.env["ZAE_LIMITER_STORE"], time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		keys, next, err := ours.Scan(t.Context(), "default", "", 1)
		if err != nil || len(keys) != 1 || next == "" {
			t.Fatal(keys, next, err)
		}
		if _, err := ours.Sweep(t.Context(), s.now.Unix()); err != nil {
			t.Fatal(err)
		}
		other, err := bolt.Open(s.file, &bolt.Options{Timeout: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		other.Close()
	}
	if ours.takeChanged() {
		t.Error("reading has changed it")
	}
	if err := ours.Close(); err != nil {
		t.Error(err)
	}
}

// A call that the limiter has left behind when the command ends must not create the file again.
func TestStoreIsClosedAtTheEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limiter.db")
	s := fileStore(file, false, time.Second)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	write := backend.Write{Key: backend.Key{Namespace: "n", Partition: "p", Sort: "s"}, Layout: schema.BucketLayout, Effects: []backend.Effect{{Op: backend.Set}}}
	err := s.Apply(t.Context(), []backend.Write{write}, make([]backend.Outcome, 1))
	if _, missing := os.Stat(file); !errors.Is(err, backend.ErrClosed) || !errors.Is(missing, fs.ErrNotExist) {
		t.Errorf("%v, %v", err, missing)
	}
}

// TestStoreIsTidied checks that a change removes expired records, and reading does not.
func TestStoreIsTidied(t *testing.T) {
	s := inhabited(t)
	count := func() int {
		store, err := openStore(s.env["ZAE_LIMITER_STORE"], time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys, _, err := store.Scan(t.Context(), "default", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	before := count()
	s.tidies, s.now = true, s.now.AddDate(1, 0, 0)
	s.want(exitDone, "entity", "list")
	if got := count(); got != before {
		t.Errorf("reading has dropped %d records", before-got)
	}
	s.want(exitDone, fields("acquire user-9 gpt-4 -c rpm=1")...)
	if got := count(); got > before-10+1+3 { // the new bucket and its usage
		t.Errorf("%d records, after %d of which 10 have expired", got, before)
	}
}

// TestStoreIsTidiedOfMany checks that one run removes the expired records of hundreds of runs.
func TestStoreIsTidiedOfMany(t *testing.T) {
	s := inhabited(t)
	fillExpired(t, s, 2500)
	s.tidies = true
	s.want(exitDone, fields("acquire user-9 gpt-4 -c rpm=1")...)
	store, err := bolt.Open(s.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if n, err := store.Sweep(t.Context(), s.now.Unix()); n != 0 || err != nil {
		t.Errorf("%d records or more are left, %v", n, err)
	}
}

// TestStoreWaits checks that a call waits until another process closes the file.
func TestStoreWaits(t *testing.T) {
	s := inhabited(t)
	other, err := bolt.Open(s.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int)
	go func() {
		ended <- run(t.Context(), fields("entity show team-b --timeout 1m"), s.world())
	}()
	other.Close()
	if code := <-ended; code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestStoreHeedsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	missing, err := openStore("bolt:nosuch.db", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]backend.Record, 1)
	out[0].Reset(schema.VersionLayout)
	_, listErr := missing.List(ctx, backend.Query{})
	_, _, scanErr := missing.Scan(ctx, "default", "", 1)
	_, sweepErr := missing.Sweep(ctx, 0)
	for _, err := range []error{missing.Read(ctx, []backend.Key{schema.Version()}, out), listErr, scanErr, sweepErr} {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// TestStoreShared checks that many processes that create and share a file consume exactly the available tokens.
func TestStoreShared(t *testing.T) {
	s := newShell(t)
	const processes, limit = 12, 5
	codes := make([]int, processes)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			c := exec.Command("zae-limiter", fields(fmt.Sprintf("acquire crowd jobs -c n=1 -l n:%d/day --timeout 1m", limit))...)
			c.Env = append(os.Environ(), "ZAE_LIMITER_STORE="+s.env["ZAE_LIMITER_STORE"])
			if out, _ := c.CombinedOutput(); c.ProcessState.ExitCode() != exitDone && c.ProcessState.ExitCode() != exitDenied {
				t.Errorf("%s", out)
			}
			codes[i] = c.ProcessState.ExitCode()
		})
	}
	all.Wait()
	count := map[int]int{}
	for _, code := range codes {
		count[code]++
	}
	if count[exitDone] != limit || count[exitDenied] != processes-limit {
		t.Errorf("exit codes %v, want %d of 0 and %d of 3", count, limit, processes-limit)
	}
}

// BenchmarkStart measures a whole run, from the start of the process to its end.
func BenchmarkStart(b *testing.B) {
	store := "ZAE_LIMITER_STORE=bolt://" + filepath.ToSlash(filepath.Join(b.TempDir(), "limiter.db"))
	for _, line := range []string{"version", "available user-1 gpt-4 -l rpm:1", "acquire user-1 gpt-4 -c rpm=1 -l rpm:1000000"} {
		name, _, _ := strings.Cut(line, " ")
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c := exec.Command("zae-limiter", fields(line)...)
				c.Env = append(os.Environ(), store)
				if out, err := c.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}
