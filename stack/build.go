package stack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// goArchitectures maps Lambda's names of processors to those of the Go toolchain.
var goArchitectures = map[string]string{defaultArch: "arm64", "x86_64": "amd64"}

// FindCode returns the function's code in the version of the running program, for an architecture (arm64 or x86_64). If the
// running program is the zae-limiter command, statically linked for Linux and this architecture, it is the code. Otherwise
// FindCode builds the command with the Go toolchain, from the first of these sources: the one that the running program was
// compiled from, the module that the working directory uses, or a download. An empty architecture means that of the running
// program, or arm64 for a build. FindCode returns [ErrNoCode], with advice, if neither works.
func FindCode(ctx context.Context, architecture string) (*Code, error) {
	if architecture != "" && goArchitectures[architecture] == "" {
		return nil, &InvalidError{"Architecture", architecture, "must be one of " + strings.Join(processors, ", ")}
	}
	c, own := ownCode(architecture)
	if own == nil {
		return c, nil
	}
	c, built := build(ctx, cmp.Or(architecture, defaultArch))
	if built == nil || ctx.Err() != nil {
		return c, built
	}
	return nil, errNoWay(own, built)
}

// ownCode returns the code that is the running program.
func ownCode(architecture string) (*Code, error) {
	info, ok := debug.ReadBuildInfo()
	switch {
	case !ok || info.Path != command:
		return nil, errNotThisProgram
	case runtime.GOOS != "linux":
		return nil, errNotLinux
	case architecture != "" && goArchitectures[architecture] != runtime.GOARCH:
		return nil, errOwnProcessor
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, err := ReadCode(path)
	if errors.Is(err, errDynamic) {
		return nil, errOwnDynamic // the advice for a file would not help here
	}
	return c, err
}

// build builds the command with the Go toolchain.
func build(ctx context.Context, architecture string) (*Code, error) {
	folder, source, err := moduleSource(ctx)
	if err != nil {
		return nil, err
	}
	out, err := os.MkdirTemp("", "zae-limiter-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(out) //nolint:errcheck // a temporary folder
	binary := filepath.Join(out, binaryName)
	_, err = goTool(ctx, []string{"GOOS=linux", "GOARCH=" + goArchitectures[architecture], "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"},
		"build", "-C", folder, "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "./cmd/zae-limiter")
	if err != nil {
		return nil, err
	}
	c, err := ReadCode(binary)
	if err == nil && source != "" {
		c.Version = source
	}
	return c, err
}

// moduleSource returns the folder of this module's source, and its version if that is a release. It prefers the source that
// the running program was compiled from, then the version that the module around the working directory uses, then a download
// of the running program's version.
func moduleSource(ctx context.Context) (folder, version string, err error) {
	if folder := sourceFolderFunc(); folder != "" {
		return folder, releasedVersion(), nil
	}
	var m struct{ Dir, Version, Error string }
	listed, err := goTool(ctx, nil, "list", "-m", "-json", module)
	if err == nil && json.Unmarshal(listed, &m) == nil && m.Dir != "" {
		return m.Dir, m.Version, nil
	}
	if errors.Is(err, errNoGo) {
		return "", "", err
	}
	running := releasedVersion()
	if running == "" {
		return "", "", errNoSource
	}
	fetched, err := goTool(ctx, nil, "mod", "download", "-json", module+"@"+running)
	if err != nil {
		return "", "", err
	}
	if err := json.Unmarshal(fetched, &m); err != nil || m.Dir == "" {
		return "", "", errNoSource
	}
	return m.Dir, m.Version, nil
}

// sourceFolderFunc is sourceFolder; tests replace it.
var sourceFolderFunc = sourceFolder

// sourceFolder returns the folder of the source that the running program was compiled from. It returns an empty string if that
// is not on this machine, or unknown (-trimpath).
func sourceFolder() string {
	_, file, _, _ := runtime.Caller(0)
	if !filepath.IsAbs(file) {
		return ""
	}
	folder := filepath.Dir(filepath.Dir(file))
	if mod, err := os.ReadFile(filepath.Join(folder, "go.mod")); err != nil || !bytes.HasPrefix(mod, []byte("module "+module+"\n")) {
		return ""
	}
	return folder
}

// releasedVersion returns the version of this module in the running program if that can be downloaded, else an empty string.
func releasedVersion() string {
	if v := Version(); strings.HasPrefix(v, "v") && !strings.Contains(v, "dirty") {
		return v
	}
	return ""
}

// goTool runs the Go toolchain. Its error has the first line of standard error.
func goTool(ctx context.Context, environment []string, arguments ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "go", arguments...)
	c.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return nil, errNoGo
	}
	first, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	return nil, fmt.Errorf("go %s: %w: %s", arguments[0], err, first)
}
