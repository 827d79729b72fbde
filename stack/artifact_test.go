package stack

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// binaryFor returns an ELF file without contents.
func binaryFor(machine elf.Machine, dynamic bool) []byte {
	var out bytes.Buffer
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD)}
	if dynamic {
		segment.Type = uint32(elf.PT_INTERP)
	}
	for _, part := range []any{header, segment} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			panic(err) // cannot fail in memory
		}
	}
	return out.Bytes()
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	into, err := w.Create(name)
	if err == nil {
		_, err = into.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A binary becomes a zip with one entry, with a fixed time and mode, so that equal binaries give equal zips.
func TestReadBinary(t *testing.T) {
	content := binaryFor(elf.EM_AARCH64, false)
	c, err := ReadCode(write(t, content))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadCode(write(t, content))
	if err != nil || !bytes.Equal(c.Zip, again.Zip) || c.Hash != again.Hash {
		t.Errorf("%s and %s, %v", c.Hash, again.Hash, err)
	}
	archive, err := zip.NewReader(bytes.NewReader(c.Zip), int64(len(c.Zip)))
	if err != nil {
		t.Fatal(err)
	}
	var listing strings.Builder
	for _, f := range archive.File {
		fmt.Fprintln(&listing, f.Name, f.Mode(), f.Modified.UTC().Format(time.RFC3339), f.UncompressedSize64)
	}
	golden(t, "zip.txt", listing.String())
	if c.Architecture != "arm64" || len(c.Hash) != 64 {
		t.Errorf("%+v", c)
	}
	other, err := ReadCode(write(t, binaryFor(elf.EM_X86_64, false)))
	if err != nil || other.Architecture != "x86_64" || other.Hash == c.Hash {
		t.Errorf("%+v, %v", other, err)
	}
	// A zip is read unchanged.
	if back, err := ReadCode(write(t, c.Zip)); err != nil || back.Hash != c.Hash || back.Architecture != "arm64" {
		t.Errorf("%+v, %v", back, err)
	}
}

// Binaries that Lambda cannot run are rejected with the reason.
func TestReadRefuses(t *testing.T) {
	good := binaryFor(elf.EM_AARCH64, false)
	small := bytes.Clone(good)
	small[elf.EI_CLASS] = byte(elf.ELFCLASS32)
	for what, c := range map[string]struct {
		content []byte
		want    error
	}{
		"text":               {[]byte("#!/bin/sh\n"), errNotLinux},
		"nothing":            {nil, errNotLinux},
		"another processor":  {binaryFor(elf.EM_RISCV, false), errProcessor},
		"linked dynamically": {binaryFor(elf.EM_AARCH64, true), errDynamic},
		"another entry":      {zipped(t, "main", good), errNoEntry},
		"text in a zip":      {zipped(t, binaryName, []byte("text")), errNotLinux},
		"half a zip":         {zipped(t, binaryName, good)[:40], zip.ErrFormat},
	} {
		if code, err := ReadCode(write(t, c.content)); code != nil || !errors.Is(err, ErrNoCode) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ReadCode(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNoCode) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// toolchain adds a go command at the front of PATH.
func toolchain(t *testing.T, script string) (calls func() string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a shell script stands for the Go toolchain")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "go"), []byte("#!/bin/sh\necho \"$GOOS $GOARCH $CGO_ENABLED $*\" >> "+folder+"/calls\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() string {
		text, err := os.ReadFile(filepath.Join(folder, "calls"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// If the running program is not the code, the toolchain builds it from the module's source.
func TestBuild(t *testing.T) {
	from := ""
	sourceFolderFunc = func() string { return from }
	t.Cleanup(func() { sourceFolderFunc = sourceFolder })
	built := write(t, binaryFor(elf.EM_AARCH64, false))
	calls := toolchain(t, `case "$1" in
list) echo '{"Dir": "/source", "Version": "v1.2.3"}';;
build) while [ "$1" != -o ]; do shift; done; cp `+built+` "$2";;
esac`)
	c, err := FindCode(t.Context(), "")
	if err != nil || c.Architecture != "arm64" || c.Version != "v1.2.3" {
		t.Errorf("%+v, %v", c, err)
	}
	if got := calls(); !strings.Contains(got, "linux arm64 0 build -C /source -tags lambda.norpc -trimpath -buildvcs=false -ldflags -s -w -o ") ||
		!strings.HasSuffix(got, "/bootstrap ./cmd/zae-limiter\n") {
		t.Errorf("%s", got)
	}
	// The source that the running program was compiled from takes precedence over the working directory.
	from = "/compiled"
	if c, err = FindCode(t.Context(), "arm64"); err != nil || c.Architecture != "arm64" || !strings.Contains(calls(), "build -C /compiled ") {
		t.Errorf("%+v, %v\n%s", c, err, calls())
	}
	from = ""
	// The error has the first line of the toolchain's output.
	toolchain(t, `[ "$1" = list ] && echo '{"Dir": "/source"}' && exit; echo "no space left" >&2; echo more >&2; exit 1`)
	if _, err = FindCode(t.Context(), "x86_64"); !errors.Is(err, ErrNoCode) || !strings.Contains(err.Error(), "no space left") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	toolchain(t, "exit 1")
	if _, err = FindCode(t.Context(), ""); !errors.Is(err, errNoSource) || !strings.HasSuffix(err.Error(), ": install and use a release: go install "+command+"@latest") {
		t.Error(err)
	}
	t.Setenv("PATH", "")
	if _, err = FindCode(t.Context(), ""); !errors.Is(err, errNoGo) || !strings.HasSuffix(err.Error(), ": pass the Linux program of a release's archive (Options.Code, --lambda-zip)") {
		t.Error(err)
	}
	if _, err = FindCode(t.Context(), "mips"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// TestCompiled checks that the tests were compiled from this source.
func TestCompiled(t *testing.T) {
	here, err := os.Getwd()
	if got := sourceFolder(); err != nil || got != filepath.Dir(here) && got != "" { // empty with -trimpath
		t.Errorf("compiled from %q, not %q, %v", got, filepath.Dir(here), err)
	}
}
