package stack

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"io"
	"os"
	"time"
)

// entry is the name that Lambda starts.
const entry = "bootstrap"

// packed is the time of the entry, the earliest that a zip can say: equal binaries make equal zips.
var packed = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Code is what the function runs: a zip with one entry, bootstrap, which is a Linux binary that serves the aggregator.
type Code struct {
	Zip          []byte
	Architecture string // arm64 or x86_64
	Version      string // of the program in it, "" where it does not say
	Hash         string // SHA-256 of Zip, in hex
}

// ReadCode reads the zip, or the Linux binary, in a file. Equal binaries make equal code. [ErrNoCode] reports what Lambda
// could not run.
func ReadCode(path string) (*Code, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, errCode("", err)
	}
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
		return codeOfZip(path, content)
	}
	return codeOfBinary(path, content)
}

// codeOfZip takes a zip as it is.
func codeOfZip(path string, content []byte) (*Code, error) {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, errCode(path, err)
	}
	f, err := archive.Open(entry)
	if err != nil {
		return nil, errCode(path, errNoEntry)
	}
	defer f.Close() //nolint:errcheck // it was read
	binary, err := io.ReadAll(f)
	if err != nil {
		return nil, errCode(path, err)
	}
	c, err := inspect(path, binary)
	if err != nil {
		return nil, err
	}
	return c.seal(content), nil
}

func codeOfBinary(path string, binary []byte) (*Code, error) {
	c, err := inspect(path, binary)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: entry, Method: zip.Deflate, Modified: packed}
	header.SetMode(0o755)
	into, err := w.CreateHeader(header)
	if err == nil {
		_, err = into.Write(binary)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, errCode(path, err)
	}
	return c.seal(out.Bytes()), nil
}

func (c *Code) seal(content []byte) *Code {
	sum := sha256.Sum256(content)
	c.Zip, c.Hash = content, hex.EncodeToString(sum[:])
	return c
}

// machines are the processors that Lambda has.
var machines = map[elf.Machine]string{elf.EM_AARCH64: defaultArch, elf.EM_X86_64: "x86_64"}

// inspect refuses what Lambda could not run. A binary that is linked dynamically runs there only by luck: it wants the C
// library of the machine that it was built on.
func inspect(path string, binary []byte) (*Code, error) {
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return nil, errCode(path, errNotLinux)
	}
	c := &Code{Architecture: machines[f.Machine]}
	if c.Architecture == "" || f.Class != elf.ELFCLASS64 {
		return nil, errCode(path, errProcessor)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, errCode(path, errDynamic)
		}
	}
	if info, err := buildinfo.Read(bytes.NewReader(binary)); err == nil {
		c.Version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "GOOS" && s.Value != "linux" {
				return nil, errCode(path, errNotLinux)
			}
		}
	}
	return c, nil
}
