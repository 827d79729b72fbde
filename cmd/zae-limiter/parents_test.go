package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// A parent that does not exist is rejected by every command that names one, unless --allow-missing says so.
func TestMissingParent(t *testing.T) {
	s := newShell(t)
	s.must(`entity create u1 --cascade`)
	const text = `entity not found: "ghosst", the parent of "u1": create it: zae-limiter entity create ID, or pass --allow-missing`
	for _, args := range [][]string{
		{"entity", "set-parent", "u1", "--parent", "ghosst"}, {"entity", "update", "u1", "--parent", "ghosst"},
	} {
		if r := s.want(exitNotFound, args...); !strings.Contains(r.err, text) || r.out != "" {
			t.Errorf("%q: %q", args, r.err)
		}
	}
	s.want(exitNotFound, "entity", "create", "u2", "--parent", "ghosst")
	s.want(exitNotFound, "entity", "show", "u2")
	if out := s.want(exitDone, "entity", "show", "u1", "-o", "json").out; !strings.Contains(out, `"parent_id": null`) {
		t.Errorf("%s", out)
	}
	s.must(`
		entity set-parent u1 --parent ghosst --allow-missing
		entity update u1 --parent ghosst --display-name One --allow-missing
		entity update u1 --display-name Two
		entity create u2 --parent ghosst --allow-missing`)

	s.in = "entities: {u3: {parent: nobody}}"
	if r := s.want(exitFailed, "limits", "plan", "-f", "-"); !strings.Contains(r.err, "entity nobody does not exist in the manifest or in the store: add it to entities (nobody: {}), correct the name, or pass --allow-missing") {
		t.Errorf("%s", r.err)
	}
	s.want(exitFailed, "limits", "apply", "-f", "-", "--yes")
	s.want(exitDone, "limits", "apply", "-f", "-", "--yes", "--allow-missing")
	s.want(exitDone, "limits", "diff", "-f", "-")
	s.in = "entities: {u4: {parent: u5}, u5: {parent: u6}, u6: {limits: {rpm: 1}}}"
	s.want(exitDone, "limits", "apply", "-f", "-", "--yes")
	s.want(exitDone, "entity", "show", "u6")
}

// Likely mistakes are reported on standard error; the output does not change.
func TestCascadeWarnings(t *testing.T) {
	s := newShell(t)
	warned := func(what string, args ...string) {
		t.Helper()
		r := s.want(exitDone, append(args, "-o", "json")...)
		if got := strings.Contains(r.err, "zae-limiter: warning: "); got != (what != "") || !strings.Contains(r.err, what) || !json.Valid([]byte(r.out)) {
			t.Errorf("%q: %q, %s", args, r.err, r.out)
		}
	}
	const (
		none   = `parent "org" has no limits of its own: cascading to it limits nothing, except on resources with default limits; set limits for it`
		system = `parent "org" has no limits of its own: the system's default limits cap it, so all of its children share them; set limits for it`
	)
	s.must(`entity create org`)
	warned("", "entity", "create", "u1", "--parent", "org")
	warned(none, "entity", "create", "u2", "--parent", "org", "--cascade")
	warned(none, "entity", "update", "u1", "--cascade")
	warned(none, "entity", "set-parent", "u1", "--parent", "org")
	warned(`parent "org" has no limits on gpt-4: cascading to it limits nothing there; set limits for it`, "explain", "u1", "gpt-4")
	s.must(`system set-defaults -l rpm:10`)
	warned(system, "entity", "set-parent", "u1", "--parent", "org")
	warned(system, "explain", "u1", "gpt-4")
	s.must(`entity set-limits org -l rpm:1000`)
	warned("", "entity", "set-parent", "u1", "--parent", "org")
	warned("", "explain", "u1", "gpt-4")
	warned("", "entity", "set-parent", "u1", "--none")
}
