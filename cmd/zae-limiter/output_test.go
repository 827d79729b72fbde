package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// applied applies a manifest with settings that the next one does not have.
const applied = "limits apply -f testdata/before.yaml --yes"

// outputs has the commands that print a result, each with commands to run before it on an inhabited store.
var outputs = []struct {
	name, line string
	before     string
	during     string // commands to run while the command sleeps
	virtual    bool   // virtual time
	code       int
	deployed   bool // on the deployment my-app instead
}{
	{name: "acquire", line: "acquire user-123 gpt-4 -c rpm=1 -c tpm=500"},
	{name: "acquire-denied", line: "acquire user-123 gpt-4 -c rpm=50", code: exitDenied},
	{name: "acquire-never-fits", line: "acquire user-123 gpt-4 -c rpm=51 -c tpm=1", code: exitDenied},
	{name: "available", line: "available user-123 gpt-4"},
	{name: "available-given", line: "-N team-b available user-1 images -l images:10/day:3"},
	{name: "explain", line: "explain user-123 gpt-4"},
	{name: "explain-entity", line: "explain user-premium gpt-4"},
	{name: "explain-none", line: "-N team-b explain user-1 images"},
	{name: "system-set-defaults", line: "system set-defaults -l rpm:100 --on-unavailable allow"},
	{name: "system-set-policy", line: "-N team-b system set-defaults --on-unavailable allow"},
	{name: "system-get-defaults", line: "system get-defaults"},
	{name: "resource-set-defaults", line: "resource set-defaults gpt-5 -l rpm:5/30s:9"},
	{name: "resource-get-defaults", line: "resource get-defaults gpt-4"},
	{name: "resource-list", line: "resource list"},
	{name: "resource-list-empty", line: "-N team-b resource list"},
	{name: "resource-list-entities", line: "resource list --with-entity-limits"},
	{name: "resource-list-page", line: "resource list --limit 1", before: "resource set-defaults zebra -l rpm:1"},
	{name: "entity-create", line: `entity create team-c --display-name "Team C" --parent team-b`},
	{name: "entity-update", line: `entity update user-123 --no-parent --no-cascade --no-metadata --display-name "User 123"`},
	{name: "entity-set-parent", line: "entity set-parent team-b --parent company --allow-missing"},
	{name: "entity-show", line: "entity show user-123"},
	{name: "entity-list", line: "entity list"},
	{name: "entity-list-custom", line: "entity list --with-custom-limits gpt-4"},
	{name: "entity-children", line: "entity children team-b"},
	{name: "entity-set-limits", line: "entity set-limits user-123 -l rpm:7"},
	{name: "entity-get-limits", line: "entity get-limits user-premium -r gpt-4"},
	{name: "limits-plan", line: "limits plan -f testdata/limits.yaml", before: applied},
	{name: "limits-plan-none", line: "limits plan -f testdata/limits.yaml", before: "limits apply -f testdata/limits.yaml --yes"},
	{name: "limits-plan-taken", line: "limits plan -f testdata/limits.yaml --take-over", before: "limits apply -f testdata/others.yaml --yes"},
	{name: "limits-apply", line: "limits apply -f testdata/limits.yaml --yes", before: applied},
	{name: "limits-diff", line: "limits diff -f testdata/limits.yaml", code: exitMismatch},
	{name: "limits-export", line: "limits export", before: applied},
	{name: "namespace-register", line: "namespace register x team-b"},
	{name: "namespace-recover", line: "namespace recover team-old"},
	{name: "namespace-list", line: "namespace list"},
	{name: "namespace-show", line: "namespace show team-old"},
	{name: "audit-list", line: "audit list", before: "reset user-123 gpt-4"},
	{name: "audit-list-entity", line: "audit list -e user-123 -l 1"},
	{name: "audit-list-resource", line: "audit list -r gpt-4"},
	{name: "audit-list-system", line: "audit list --system"},
	{name: "usage-list", line: "usage list -e user-123", before: someUsage},
	{name: "usage-list-resource", line: "usage list -r gpt-4 -w daily", before: someUsage},
	{name: "usage-list-page", line: "usage list -r gpt-4 -l 1", before: someUsage},
	{name: "usage-list-empty", line: "-N team-b usage list -r gpt-4"},
	{name: "usage-summary", line: "usage summary -e user-123 -r gpt-4 --start 2026-03-04", before: someUsage},
	{name: "usage-summary-empty", line: "usage summary -r gpt-4 --end 2026-03-04", before: someUsage},
	{name: "top", line: "top --once", before: "acquire user-premium gpt-4 -c rpm=500", during: `
		acquire user-123 gpt-4 -c rpm=2 -c tpm=90000
		acquire user-123 gpt-4 -c rpm=1
		acquire user-7 images -c rpm=10 -c tpm=0`},
	{name: "top-absolute", line: "top --once --interval 0s --entity-id user-* --sort left --limit 1", before: "acquire user-premium gpt-4 -c rpm=499"},
	{name: "top-sampled", line: "top --once --sample 1 --resource gpt-*"},
	{name: "top-empty", line: "-N team-b top --once"},
	{name: "loadtest", line: "loadtest --resource gpt-4 --rate 20 --duration 10s --entities 3 --roll-back 0.25 --limiters 2", virtual: true},
	{name: "loadtest-given", line: "loadtest --store memory: -l rps:10/s:20 -c rps=2 --rate 50 --duration 3s --entities 10 --skew 1.5 --arrivals even --mode allow --no-plot", virtual: true},
	{name: "status", line: "status"},
	{name: "local-status", line: "local status"},
	{name: "deploy-plan", line: "deploy --name my-app --enable-alarms --tag team=search --plan", deployed: true},
	{name: "deploy", line: "deploy --name my-app --pitr-recovery-days 7", deployed: true},
	{name: "list", line: "list", deployed: true},
	{name: "check", line: "check --name my-app", deployed: true},
	{name: "init", line: "init --name my-app", deployed: true},
	{name: "upgrade", line: "upgrade --name my-app", deployed: true},
	{name: "status-deployed", line: "status --name my-app", deployed: true},
}

// someUsage creates usage of two entities.
const someUsage = `
	acquire user-123 gpt-4 -c rpm=2 -c tpm=300
	acquire user-premium gpt-4 -c rpm=4`

// TestOutput compares the tables and JSON documents of all commands with golden files.
func TestOutput(t *testing.T) {
	names := map[string]bool{}
	for _, o := range outputs {
		t.Run(o.name, func(t *testing.T) {
			show := func(flags ...string) (out string) {
				run := func(t *testing.T) {
					if o.deployed {
						out = deployment(t).want(o.code, append(fields(o.line), flags...)...).out
						return
					}
					s := inhabited(t)
					s.must(o.before)
					s.sleeping = func() { s.must(o.during) }
					s.virtual = o.virtual
					out = s.want(o.code, append(fields(o.line), flags...)...).out
				}
				if !o.virtual {
					run(t)
				} else {
					synctest.Test(t, run)
				}
				return out
			}
			document := show("-o", "json")
			golden(t, "out/"+o.name+".txt", show())
			golden(t, "out/"+o.name+".json", document)
		})
		names["out/"+o.name+".txt"], names["out/"+o.name+".json"] = true, true
	}
	goldenFiles(t, "out", names)
}

// TestOutputComplete checks that outputs has every command with --output, except version, whose output depends on the build.
func TestOutputComplete(t *testing.T) {
	for path, command := range commands(t) {
		shown := path == "version"
		for _, o := range outputs {
			shown = shown || strings.Contains(" "+o.line+" ", " "+path+" ")
		}
		for _, flag := range command.Flags {
			if flag.Name == "output" && flag.PlaceHolder == "FORMAT" && !shown {
				t.Errorf("there is no output of %s", path)
			}
		}
	}
}

// whole is a document whose JSON is known.
type whole struct{ json.RawMessage }

func (whole) table() table { return table{} }

// TestOutputYAML checks that the YAML of all documents has the same content as their JSON.
func TestOutputYAML(t *testing.T) {
	files, err := filepath.Glob("testdata/out/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		document, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		app := &App{}
		app.Out = &out
		if err := app.print(formatYAML, whole{document}); err != nil {
			t.Fatal(err)
		}
		var fromJSON, fromYAML any
		if err := errors.Join(json.Unmarshal(document, &fromJSON), yaml.Unmarshal(out.Bytes(), &fromYAML)); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(fromYAML)
		if err != nil {
			t.Fatal(err)
		}
		fromYAML = nil
		if err := json.Unmarshal(again, &fromYAML); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
			t.Errorf("%s: YAML (+) has not the same content as JSON (-):\n%s", file, diff)
		}
	}
	s := inhabited(t) // and a command prints it
	if got := s.want(exitDone, "resource", "list", "-o", "yaml").out; got != "resources:\n- gpt-4\nnext: null\n" {
		t.Errorf("resource list prints %q", got)
	}
}

// TestOutputContract checks that docs/cli-output.md has every field of every document.
func TestOutputContract(t *testing.T) {
	contract, err := os.ReadFile("../../docs/cli-output.md")
	if err != nil {
		t.Fatal(err)
	}
	documents, err := filepath.Glob("testdata/out/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(file string, v any)
	walk = func(file string, v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(file, item)
			}
		case map[string]any:
			for name, value := range v {
				if !strings.Contains(string(contract), "`"+name+"`") {
					t.Errorf("docs/cli-output.md does not have %q of %s", name, file)
				}
				if strings.HasPrefix(filepath.Base(file), "limits-export") { // its fields include names chosen by users
					continue
				}
				if !slices.Contains([]string{"metadata", "before", "after", "consume", "tokens"}, name) { // their content comes from the caller or the engine
					walk(file, value)
				}
			}
		}
	}
	for _, file := range documents {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		walk(file, v)
	}
}

func TestOutputOnTerminal(t *testing.T) {
	s := inhabited(t)
	plain := s.want(exitDone, "resource", "list").out
	s.terminal, s.env["TERM"] = true, "xterm"
	if got := s.want(exitDone, "resource", "list").out; got != "\x1b[1mRESOURCE\x1b[0m\ngpt-4\n" {
		t.Errorf("on a terminal: %q", got)
	}
	s.env["NO_COLOR"] = "1"
	if got := s.want(exitDone, "resource", "list").out; got != plain {
		t.Errorf("with NO_COLOR: %q", got)
	}
}

func TestControlCharactersStayOffTheTerminal(t *testing.T) {
	s := newShell(t)
	s.want(exitDone, "entity", "create", "eve", "--display-name", "\x1b[2J\u009b1mEve")
	if got := s.want(exitDone, "entity", "show", "eve").out; !strings.Contains(got, "?[2J?1mEve") {
		t.Errorf("printed %q", got)
	}
}

func TestVersion(t *testing.T) {
	s := newShell(t)
	var d versionDoc
	if err := json.Unmarshal([]byte(s.want(exitDone, "version", "-o", "json").out), &d); err != nil || d.Version == "" || d.Go == "" {
		t.Errorf("%+v, %v", d, err)
	}
	if got := s.want(exitDone, "version").out; !strings.HasPrefix(got, "version  ") {
		t.Errorf("printed %q", got)
	}
}
