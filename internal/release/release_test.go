package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestRelease builds for this machine twice, in two clones, wants the same bytes, and takes one as a user does: by the
// checksum, unpacked and run.
func TestRelease(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no tar and no sha256sum here")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(filepath.Join(root, ".git"))
	if _, noGit := exec.LookPath("git"); err != nil || noGit != nil {
		t.Skip("a release is built in a git checkout only")
	}
	folders := []string{t.TempDir(), t.TempDir()}
	for _, folder := range folders {
		clone := filepath.Join(t.TempDir(), "clone") // go build knows no versions in a worktree
		if out, err := exec.Command("git", "clone", "-q", root, clone).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Chdir(clone)
		if err := run(t.Context(), []string{"-o", folder, "-targets", runtime.GOOS + "/" + runtime.GOARCH}, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("LICENSE", []byte("all mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-o", t.TempDir(), "-targets", runtime.GOOS + "/" + runtime.GOARCH}, io.Discard); !errors.Is(err, errModified) {
		t.Errorf("a modified tree: %v", err)
	}
	names, err := filepath.Glob(folders[0] + "/*")
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		first, err := os.ReadFile(name)
		second, err2 := os.ReadFile(filepath.Join(folders[1], filepath.Base(name)))
		if errors.Join(err, err2) != nil || !bytes.Equal(first, second) {
			t.Errorf("%s differs: %v, %v", filepath.Base(name), err, err2)
		}
	}
	shell := exec.Command("sh", "-ec", "sha256sum -c *_checksums.txt; tar xzf *.tar.gz; cd zae-limiter_*/; ls; ./zae-limiter version")
	if runtime.GOOS == "darwin" {
		shell.Args[2] = strings.Replace(shell.Args[2], "sha256sum", "shasum -a 256", 1)
	}
	shell.Dir = folders[0]
	out, err := shell.CombinedOutput()
	for _, want := range []string{": OK\n", "LICENSE\nREADME.md\nzae-limiter\n", "version    v", "modified   no\n"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v, no %q in\n%s", err, want, out)
		}
	}
}

func TestArchivesOfWindows(t *testing.T) {
	t.Chdir("../..")
	b := &built{
		system: "windows", arch: "amd64", binary: []byte("MZ"), version: "v1.2.3",
		committed: time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)),
	}
	folders, sums := []string{t.TempDir(), t.TempDir()}, map[string]bool{}
	for _, folder := range folders {
		name, sum, err := b.write(folder)
		if err != nil || name != "zae-limiter_v1.2.3_windows_amd64.zip" {
			t.Fatal(name, err)
		}
		sums[sum] = true
	}
	if len(sums) != 1 {
		t.Error("two archives of the same differ")
	}
}

func TestReleaseRefuses(t *testing.T) {
	if err := run(t.Context(), []string{"-o", t.TempDir(), "-targets", "linux"}, io.Discard); !errors.Is(err, errTarget) {
		t.Error(err)
	}
}
