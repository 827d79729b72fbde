package stacktest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed" // for the files beside this one
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

//go:embed requirements.txt
var requirements []byte

//go:embed provider.txt
var provider string

//go:embed serve_moto.py
var motoServer string

// Moto starts an account of Python's moto and returns its endpoint, which serves all services. It ends with the test, or with
// the test process. Without moto the test is skipped or fails: see the package comment.
func Moto(t testing.TB) (endpoint string) {
	t.Helper()
	command := exec.Command(Python(t, "moto", "python"), "-I", "-c", motoServer)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	in, err := command.StdinPipe() // whose end it ends with
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(2*time.Minute, func() { _ = command.Process.Kill() }) // of a start that hangs
	port, err := bufio.NewReader(out).ReadString('\n')
	kill.Stop()
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Process.Kill() // it has nothing to lose
		_ = command.Wait()
	})
	if err != nil {
		_ = command.Process.Kill()
		_ = command.Wait()
		t.Fatalf("moto does not start: %v\n%s", err, complaint.String())
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// CfnLint fails a test if cfn-lint complains about one of its templates. A run takes seconds: give it all files at once.
// Without cfn-lint the test is skipped or fails: see the package comment.
func CfnLint(t testing.TB, files ...string) {
	t.Helper()
	out, err := exec.Command(Python(t, "cfn-lint", "cfn-lint"), append([]string{"--regions", Region, "--"}, files...)...).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

// Python returns the path of a program among the packages in requirements.txt, the interpreter included, for one purpose.
// Without it the test is skipped or fails: see the package comment.
func Python(t testing.TB, purpose, program string) string {
	t.Helper()
	return tool(t, purpose, func() (string, error) {
		folder, err := installedFor("python", requirements, errNoPython)
		return filepath.Join(folder, "bin", program), err
	})
}

// Provider returns the folder with the declarations of Terraform's AWS provider for kinds of blocks ("resource
// dynamodb_table"), which .ci/npm.sh fetches. Without them the test is skipped or fails: see the package comment.
func Provider(t testing.TB, kinds []string) (folder string) {
	t.Helper()
	slices.Sort(kinds)
	list := []byte(provider + strings.Join(kinds, "\n") + "\n")
	return tool(t, "terraform", func() (string, error) { return installedFor("terraform", list, errNoProvider) })
}

// tool returns the path of something that a test needs for a purpose. These tests start programs that take seconds: they run
// only if ZAE_LIMITER_TEST_ALL is set, as `make test` does, or if their purpose is required.
func tool(t testing.TB, purpose string, find func() (string, error)) string {
	t.Helper()
	required := alltests.Requires(purpose)
	path, err := "", errNotAsked
	if required || alltests.Asked() {
		path, err = find()
	}
	switch {
	case err == nil:
		return path
	case required:
		t.Fatalf("%s has %s: %v", alltests.RequireVariable, purpose, err)
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	missed(purpose, test, err)
	t.Skipf("no %s: %v", purpose, err)
	return ""
}

// told holds the lines that were printed about what was not run.
var told struct {
	lock  sync.Mutex
	lines []string
}

// missed prints on standard output, once for each test, what is not run, why, and what to do.
func missed(purpose, test string, why error) {
	line := fmt.Sprintf("stacktest: not run: %s: no %s for tests; %v", test, purpose, why)
	told.lock.Lock()
	defer told.lock.Unlock()
	if !slices.Contains(told.lines, line) {
		told.lines = append(told.lines, line)
		fmt.Fprintln(os.Stdout, line)
	}
}

// installedFor returns the folder that was made for a list of packages, if it is complete.
func installedFor(kind string, list []byte, missing error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", missing, err)
	}
	sum := sha256.Sum256(list)
	folder := filepath.Join(cache, "zae-limiter", kind+"-"+hex.EncodeToString(sum[:])[:12])
	if _, err := os.Stat(filepath.Join(folder, "complete")); err != nil {
		return "", missing
	}
	return folder, nil
}
