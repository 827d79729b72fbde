package lambdatest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

var built struct {
	sync.Once
	path string
	err  error
	out  []byte
}

// Build compiles the command line for this machine with the flags of a deployment, once for each test process, and returns
// the program's path. [Clean] removes it. Compiling takes up to a minute, so that the test runs only if all do.
func Build(t testing.TB) string {
	t.Helper()
	alltests.Only(t)
	built.Do(func() {
		var folder string
		folder, built.err = os.MkdirTemp("", "zae-limiter-lambdatest-") //nolint:usetesting // other tests use it too
		if built.err != nil {
			return
		}
		built.path = filepath.Join(folder, "bootstrap")
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
			"-o", built.path, "github.com/zeroae/zae-limiter-go/cmd/zae-limiter")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		built.out, built.err = build.CombinedOutput()
	})
	if built.err != nil {
		t.Fatalf("lambdatest: building the program: %v\n%s", built.err, built.out)
	}
	return built.path
}

// Clean removes the program that Build has compiled. It is for TestMain.
func Clean() {
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path)) // it is temporary anyway
	}
}
