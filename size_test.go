package zaelimiter_test

import (
	"bytes"
	"path"
	"testing"
)

// mostEngineLines is how many lines a package of the engine may have outside of its tests.
const mostEngineLines = 4_000

// TestEnginePackages: a package of the engine stays small enough to be read in one go.
func TestEnginePackages(t *testing.T) {
	length := map[string]int{}
	for _, s := range sources(t) {
		if s.in("engine") && !s.isTest() {
			length[path.Dir(s.path)] += bytes.Count(s.text, []byte("\n"))
		}
	}
	if len(length) < 10 {
		t.Fatalf("only %d packages were found", len(length))
	}
	for name, lines := range length {
		if lines > mostEngineLines {
			t.Errorf("%s has %d lines, of %d at most: move what has a subject of its own to a package below engine/internal", name, lines, mostEngineLines)
		}
	}
}
