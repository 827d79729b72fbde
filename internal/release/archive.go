package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// entry is a file of an archive.
type entry struct {
	name string
	mode int64
	text []byte
}

// write makes the archive in a folder: a zip for Windows, a tar.gz for others.
func (b *built) write(folder string) (name, sum string, err error) {
	base := fmt.Sprintf("%s_%s_%s_%s", program, b.version, b.system, b.arch)
	binary, pack, suffix := program, packTar, ".tar.gz"
	if b.system == "windows" {
		binary, pack, suffix = program+".exe", packZip, ".zip"
	}
	entries := []entry{{base + "/" + binary, 0o755, b.binary}}
	for _, document := range []string{"LICENSE", "README.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			return "", "", fmt.Errorf("run it in the root of the repository: %w", err)
		}
		entries = append(entries, entry{base + "/" + document, 0o644, text})
	}
	var archive bytes.Buffer
	if err := pack(&archive, entries, b.committed.UTC()); err != nil {
		return "", "", err
	}
	digest := sha256.Sum256(archive.Bytes())
	return base + suffix, hex.EncodeToString(digest[:]), os.WriteFile(filepath.Join(folder, base+suffix), archive.Bytes(), 0o644)
}

func packTar(w io.Writer, entries []entry, at time.Time) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.text)), ModTime: at, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(e.text); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

func packZip(w io.Writer, entries []entry, at time.Time) error {
	archive := zip.NewWriter(w)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at}
		header.SetMode(os.FileMode(e.mode)) //nolint:gosec // 0755 or 0644
		file, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := file.Write(e.text); err != nil {
			return err
		}
	}
	return archive.Close()
}
