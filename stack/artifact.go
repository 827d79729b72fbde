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

// binaryName is the file that Lambda starts.
const binaryName = "bootstrap"

// zipTime is the time of the zip's entry, fixed so that equal binaries give equal zips. A zip cannot have an earlier one.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Code is the code of the Lambda function: a zip with the entry bootstrap, a Linux binary that runs the aggregator.
type Code struct {
	Zip          []byte
	Architecture string // arm64 or x86_64
	Version      string // of the program in it; empty if unknown
	Hash         string // SHA-256 of Zip, in hex
}

// ReadCode reads a zip or a Linux binary from a file. Equal binaries give equal code. It returns [ErrNoCode] if Lambda cannot
// run the code.
func ReadCode(path string) (*Code, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, errInvalidCode("", err)
	}
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
		return codeOfZip(path, content)
	}
	return codeOfBinary(path, content)
}

// codeOfZip returns the code of a zip, unchanged.
func codeOfZip(path string, content []byte) (*Code, error) {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, errInvalidCode(path, err)
	}
	f, err := archive.Open(binaryName)
	if err != nil {
		return nil, errInvalidCode(path, errNoEntry)
	}
	defer f.Close() //nolint:errcheck // only read from
	binary, err := io.ReadAll(f)
	if err != nil {
		return nil, errInvalidCode(path, err)
	}
	c, err := checkBinary(path, binary)
	if err != nil {
		return nil, err
	}
	return c.withZip(content), nil
}

func codeOfBinary(path string, binary []byte) (*Code, error) {
	c, err := checkBinary(path, binary)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: binaryName, Method: zip.Deflate, Modified: zipTime}
	header.SetMode(0o755)
	into, err := w.CreateHeader(header)
	if err == nil {
		_, err = into.Write(binary)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, errInvalidCode(path, err)
	}
	return c.withZip(out.Bytes()), nil
}

func (c *Code) withZip(content []byte) *Code {
	sum := sha256.Sum256(content)
	c.Zip, c.Hash = content, hex.EncodeToString(sum[:])
	return c
}

// architectures maps processors to Lambda's names.
var architectures = map[elf.Machine]string{elf.EM_AARCH64: defaultArch, elf.EM_X86_64: "x86_64"}

// checkBinary rejects a binary that Lambda cannot run. It also rejects dynamically linked ones, which need the C library of
// the machine that they were built on.
func checkBinary(path string, binary []byte) (*Code, error) {
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return nil, errInvalidCode(path, errNotLinux)
	}
	c := &Code{Architecture: architectures[f.Machine]}
	if c.Architecture == "" || f.Class != elf.ELFCLASS64 {
		return nil, errInvalidCode(path, errProcessor)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, errInvalidCode(path, errDynamic)
		}
	}
	if info, err := buildinfo.Read(bytes.NewReader(binary)); err == nil {
		c.Version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "GOOS" && s.Value != "linux" {
				return nil, errInvalidCode(path, errNotLinux)
			}
		}
	}
	return c, nil
}
