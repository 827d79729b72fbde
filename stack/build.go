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

// goNames are what the Go toolchain calls the processors that Lambda has.
var goNames = map[string]string{defaultArch: "arm64", "x86_64": "amd64"}

// FindCode makes the function's code of this version: of the running program if that is zae-limiter's own Linux binary
// for the architecture ("": whatever it has) and linked statically, else by the Go toolchain ("": for arm64), however the
// running program was built, from the module's source: what this program was compiled from, else what the module around the
// working directory uses, else what can be fetched. [ErrNoCode] tells what to do where neither works.
func FindCode(ctx context.Context, architecture string) (*Code, error) {
	if architecture != "" && goNames[architecture] == "" {
		return nil, &InvalidError{"Architecture", architecture, "there are " + strings.Join(processors, ", ")}
	}
	c, own := running(architecture)
	if own == nil {
		return c, nil
	}
	c, built := build(ctx, cmp.Or(architecture, defaultArch))
	if built == nil || ctx.Err() != nil {
		return c, built
	}
	return nil, errNothingFound(own, built)
}

// running is the code of the running program.
func running(architecture string) (*Code, error) {
	info, ok := debug.ReadBuildInfo()
	switch {
	case !ok || info.Path != command:
		return nil, errNotItself
	case runtime.GOOS != "linux":
		return nil, errNotLinux
	case architecture != "" && goNames[architecture] != runtime.GOARCH:
		return nil, errRunsElsewhere
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, err := ReadCode(path)
	if errors.Is(err, errDynamic) {
		return nil, errRunsDynamic // the cure is not the file's
	}
	return c, err
}

// build makes the program with the Go toolchain. The cache makes a second time quick.
func build(ctx context.Context, architecture string) (*Code, error) {
	folder, source, err := sources(ctx)
	if err != nil {
		return nil, err
	}
	out, err := os.MkdirTemp("", "zae-limiter-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(out) //nolint:errcheck // a temporary folder
	binary := filepath.Join(out, entry)
	_, err = goTool(ctx, []string{"GOOS=linux", "GOARCH=" + goNames[architecture], "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"},
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

// sources is the folder of this module's source, and its version if that is a released one: what the running program was compiled
// from if that is still there, be it a checkout or the module cache, else as the module around the working directory has it,
// else fetched in the running program's version.
func sources(ctx context.Context) (folder, version string, err error) {
	if folder := compiledFunc(); folder != "" {
		return folder, released(), nil
	}
	var m struct{ Dir, Version, Error string }
	listed, err := goTool(ctx, nil, "list", "-m", "-json", module)
	if err == nil && json.Unmarshal(listed, &m) == nil && m.Dir != "" {
		return m.Dir, m.Version, nil
	}
	if errors.Is(err, errNoToolchain) {
		return "", "", err
	}
	running := released()
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

// compiledFunc is compiled; tests replace it.
var compiledFunc = compiled

// compiled is the folder of the source that the running program was compiled from, "" if that is not on this machine, or the
// program does not tell (-trimpath).
func compiled() string {
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

// released is the version of this module in the running program, if it is one that can be fetched.
func released() string {
	if v := version(); strings.HasPrefix(v, "v") && !strings.Contains(v, "dirty") {
		return v
	}
	return ""
}

// goTool runs the Go toolchain, and tells the first line of what it complains of.
func goTool(ctx context.Context, environment []string, arguments ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "go", arguments...)
	c.Env = append(os.Environ(), environment...)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.Output()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return nil, errNoToolchain
	}
	first, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
	return nil, fmt.Errorf("go %s: %w: %s", arguments[0], err, first)
}
