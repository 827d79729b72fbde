package zaelimiter_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeProgram runs the program of README.md and compares what it prints with what the page says.
func TestReadmeProgram(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatal("README.md has no program; it must begin with package main in a ```go block")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, found[1], 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", file).CombinedOutput()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 || lines[0] != "<nil>" || lines[1] != "<nil>" {
		t.Fatalf("the program printed\n%s\nand not <nil> twice and a denial", out)
	}
	denial := regexp.MustCompile(`tpm of alice on gpt-4: 600 requested, 200 available of 1000, retry after 2[34](\.\d)?s$`)
	if !denial.MatchString(lines[2]) {
		t.Fatalf("the denial reads %q, not as %v", lines[2], denial)
	}
}
