package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// built is the program for one system, with what its build information says.
type built struct {
	system, arch string
	binary       []byte
	version      string
	committed    time.Time
	modified     bool
}

// build compiles the program for a target. Nothing of this machine is in it.
func build(ctx context.Context, target string) (*built, error) {
	b := new(built)
	var found bool
	if b.system, b.arch, found = strings.Cut(target, "/"); !found {
		return nil, fmt.Errorf("%w: %q", errTarget, target)
	}
	folder, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // of the system's temporary folder
	file := filepath.Join(folder, program)
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", file,
		"github.com/zeroae/zae-limiter-go/cmd/"+program)
	command.Env = append(os.Environ(), "GOOS="+b.system, "GOARCH="+b.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0")
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	if b.binary, err = os.ReadFile(file); err != nil {
		return nil, err
	}
	if err := b.inspect(); err != nil {
		return nil, err
	}
	return b, nil
}

// inspect reads the build information in the binary.
func (b *built) inspect() error {
	info, err := buildinfo.Read(bytes.NewReader(b.binary))
	if err != nil {
		return err
	}
	b.version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.time":
			if b.committed, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return err
			}
		case "vcs.modified":
			b.modified = s.Value == "true"
		}
	}
	if b.version == "" || b.version == "(devel)" || b.committed.IsZero() {
		return errVersion
	}
	return nil
}
