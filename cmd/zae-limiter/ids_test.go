package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// strangeIDs are realistic ids of entities, and some that are difficult for terminals, YAML and command lines.
var strangeIDs = []string{
	"\u202eevil\u2066", "fe80::1%eth0", "auth0|5f7c", "auth0%7C5f7c", "+491701234", "sk-abc==", "_internal", " ", "a b", "null", "<<", "a: b", "%s", "${x}",
	"日本語", "\u2028", "\U000e0001", "@file", "*", strings.Repeat("|", 256),
}

// Every command that accepts or prints an entity's id accepts and prints these. Tables and messages escape characters that a
// terminal would hide or reorder; JSON and manifests have the ids unchanged.
func TestStrangeIDs(t *testing.T) {
	alltests.Only(t)
	t.Parallel()
	s := newShell(t)
	s.must(`entity create boss
		entity set-limits boss -l rpm:1000`)
	hidden := "\u202e\u2066\u200b\u2028\U000e0001\ufeff"
	for i, id := range strangeIDs {
		commands := [][]string{
			{"entity", "create", id, "--parent", "boss", "--cascade"},
			{"entity", "set-limits", id, "--resource", "gpt-4", "-l", "rpm:100"},
			{"acquire", id, "gpt-4", "-c", "rpm=1"},
			{"explain", id, "gpt-4"},
			{"available", id, "gpt-4"},
			{"entity", "show", id},
			{"entity", "get-limits", id, "--resource", "gpt-4"},
			{"entity", "children", id},
			{"entity", "update", id, "--display-name", id},
			{"entity", "set-parent", id, "--parent", "boss"},
			{"entity", "create", "below", "--parent", id},
			{"entity", "delete", "below", "--yes"},
			{"usage", "list", "--entity-id", id},
			{"usage", "summary", "--entity-id", id},
			{"audit", "list", "--entity-id", id},
			{"reset", id, "gpt-4"},
			{"complete", "entity", "show", id, "--"},
		}
		if i%5 > 0 { // to save time, since these commands share their code
			commands = commands[:4]
		}
		for _, args := range commands {
			if r := s.want(exitDone, args...); strings.ContainsAny(r.out+r.err, hidden) {
				t.Errorf("%q: what cannot be seen is printed: %q, %q", args, r.out, r.err)
			}
		}
		var shown struct {
			ID     string `json:"entity_id"`
			Parent string `json:"parent_id"`
		}
		if err := json.Unmarshal([]byte(s.want(exitDone, "entity", "show", id, "-o", "json").out), &shown); err != nil || shown.ID != id || shown.Parent != "boss" {
			t.Errorf("%q is shown as %+v, %v", id, shown, err)
		}
	}
	for _, args := range [][]string{
		{"entity", "list", "--limit", "1000"}, {"entity", "children", "boss", "--limit", "1000"}, {"audit", "list"}, {"usage", "list", "--resource", "gpt-4"}, {"top", "--once"},
	} {
		r := s.want(exitDone, args...)
		if strings.ContainsAny(r.out+r.err, hidden) || !strings.Contains(r.out, `\u202eevil\u2066`) {
			t.Errorf("%q: %q, %q", args, r.out, r.err)
		}
	}
	export := s.want(exitDone, "limits", "export").out
	file := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(file, []byte(export), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(exitDone, "limits", "apply", "-f", file, "--yes")
	s.want(exitDone, "limits", "diff", "-f", file)
	listed := s.ids("entity", "list", "--limit", "1000", "-o", "json")
	for _, id := range strangeIDs {
		if !slices.Contains(listed, id) {
			t.Errorf("%q is not listed", id)
		}
		s.want(exitDone, "entity", "delete-limits", id, "--resource", "gpt-4", "--yes")
		s.want(exitDone, "entity", "delete", id, "--yes")
		s.want(exitNotFound, "entity", "show", id)
	}
	if left := s.ids("entity", "list", "-o", "json"); !slices.Equal(left, []string{"boss"}) {
		t.Errorf("%q are left", left)
	}
}

// ids returns the ids that a command lists.
func (s *shell) ids(args ...string) (ids []string) {
	s.t.Helper()
	var list struct {
		Entities []struct {
			ID string `json:"entity_id"`
		} `json:"entities"`
	}
	if err := json.Unmarshal([]byte(s.want(exitDone, args...).out), &list); err != nil {
		s.t.Fatal(err)
	}
	for _, e := range list.Entities {
		ids = append(ids, e.ID)
	}
	return ids
}

// The error for an invalid id states the rule.
func TestBrokenIDs(t *testing.T) {
	s := newShell(t)
	for _, id := range []string{"", "a\tb", "\x1b[2J", strings.Repeat("a", 257)} {
		r := s.want(exitUsage, "entity", "create", "--", id)
		if !strings.Contains(r.err, "must be 1 to 256 bytes of valid UTF-8 without control characters") || strings.Contains(r.err, "\x1b") {
			t.Errorf("%q: %q", id, r.err)
		}
	}
	if r := s.want(exitUsage, "entity", "create", "a\xff"); !strings.Contains(r.err, `argument "a\xff" is not valid UTF-8`) {
		t.Errorf("%q", r.err)
	}
	s.want(exitDone, "entity", "create", "--", "--help")
	s.want(exitDone, "entity", "show", "--", "--help")
}
