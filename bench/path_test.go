package bench

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// What one acquire on memory may execute: functions of this module, and files that they are in. The packages of arithmetic
// do not count.
const (
	mostPathFunctions = 66
	mostPathFiles     = 24
)

// TestPathOfAnAcquire counts, by coverage, what somebody has to read who wants to know all that one acquire does on a warm
// limiter over the memory store. With -v it prints the functions.
func TestPathOfAnAcquire(t *testing.T) {
	alltests.Only(t)
	const module = "github.com/zeroae/zae-limiter-go/"
	dir := t.TempDir()
	program := filepath.Join(dir, "hotpath")
	covered := module + "engine/...," + module + "backend/...," + module + "internal/...," + module + "bench/testdata/hotpath"
	run(t, "go", "build", "-cover", "-covermode=atomic", "-coverpkg="+covered, "-o", program, "./testdata/hotpath")
	run(t, program, dir)
	var functions, files []string
	for line := range strings.Lines(run(t, "go", "tool", "covdata", "func", "-i="+dir)) {
		fields := strings.Fields(strings.TrimPrefix(line, module)) // file:line: function share%
		if len(fields) != 3 || fields[2] == "0.0%" || !counts(fields[0]) {
			continue
		}
		file, _, _ := strings.Cut(fields[0], ":")
		functions = append(functions, file+" "+fields[1])
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	t.Logf("one acquire executes %d functions in %d files:\n%s", len(functions), len(files), strings.Join(functions, "\n"))
	if len(functions) < 10 || len(files) < 5 {
		t.Error("these are fewer than an acquire can do with")
	}
	if len(functions) > mostPathFunctions || len(files) > mostPathFiles {
		t.Errorf("they should be at most %d in %d files: make the path shorter", mostPathFunctions, mostPathFiles)
	}
}

// counts reports whether what is in the file counts.
func counts(file string) bool {
	for _, not := range []string{"backend/num/", "engine/bucket/", "bench/", "total"} {
		if strings.HasPrefix(file, not) {
			return false
		}
	}
	return true
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return string(out)
}
