package stacktest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed" // for the files beside this one
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

//go:embed requirements.txt
var requirements string

//go:embed provider.txt
var provider string

//go:embed serve_moto.py
var motoServer string

// start starts a program that ends when its standard input does. The input ends with this process.
func start(command *exec.Cmd) (in io.Writer, out *bufio.Reader, err error) {
	in, noInput := command.StdinPipe()
	output, noOutput := command.StdoutPipe()
	err = errors.Join(noInput, noOutput, command.Start())
	return in, bufio.NewReader(output), err
}

// Moto starts an account of Python's moto, which ends with the test or the test process. All services are at its endpoint.
func Moto(t testing.TB) (endpoint string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), Python(t, "moto", "python"), "-I", "-c", motoServer) // killed with the test
	command.Stderr = t.Output()
	_, out, err := start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() })
	port, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("moto does not start: %v", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// CfnLint fails a test if cfn-lint complains about one of its templates. A run takes seconds: give it all files at once.
func CfnLint(t testing.TB, files ...string) {
	t.Helper()
	out, err := exec.Command(Python(t, "cfn-lint", "cfn-lint"), append([]string{"--regions", Region, "--"}, files...)...).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

// Python returns the path of a program among the packages in requirements.txt, the interpreter included, for one purpose.
func Python(t testing.TB, purpose, program string) string {
	t.Helper()
	return filepath.Join(installed(t, purpose, "python", requirements), "bin", program)
}

// Provider returns the folder with the declarations of Terraform's AWS provider for kinds of blocks ("resource
// dynamodb_table"), which .ci/npm.sh fetches.
func Provider(t testing.TB, kinds []string) (folder string) {
	t.Helper()
	return installed(t, "terraform", "terraform", provider+strings.Join(slices.Sorted(slices.Values(kinds)), "\n")+"\n")
}

// installed returns the folder that `make setup` made for a list of packages, which a test needs for a purpose. The package
// comment says when the test is skipped, which a line on standard output reports, and when it fails.
func installed(t testing.TB, purpose, kind, list string) (folder string) {
	t.Helper()
	sum := sha256.Sum256([]byte(list))
	cache, _ := os.UserCacheDir() // without one, nothing is installed
	folder = filepath.Join(cache, "zae-limiter", fmt.Sprintf("%s-%x", kind, sum[:6]))
	_, err := os.Stat(filepath.Join(folder, "complete"))
	required := alltests.Requires(purpose)
	why := errNotInstalled
	switch {
	case !required && !alltests.Asked():
		why = errNotAsked
	case err == nil:
		return folder
	case required:
		t.Fatalf("%s has %s: %v", alltests.RequireVariable, purpose, why)
	}
	fmt.Fprintf(os.Stdout, "stacktest: not run: %s: no %s for tests; %v\n", t.Name(), purpose, why)
	t.Skipf("no %s: %v", purpose, why)
	return ""
}
