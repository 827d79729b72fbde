package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

// fakeDynamoDB is a program that implements what "local up" needs of DynamoDB, on the port in its first argument.
func fakeDynamoDB() {
	time.AfterFunc(2*time.Minute, func() { os.Exit(1) }) // in case a test does not stop it
	var (
		lock   sync.Mutex
		tables = map[string]json.RawMessage{} // name to its one record
	)
	handle := func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		var request struct {
			TableName string
			Item      json.RawMessage
		}
		text, err := io.ReadAll(r.Body)
		if err = errors.Join(err, json.Unmarshal(text, &request)); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		record, known := tables[request.TableName]
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch {
		case operation == "CreateTable":
			tables[request.TableName] = nil
			fmt.Fprint(w, `{"TableDescription": {"TableStatus": "ACTIVE"}}`)
		case !known:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}`)
		case operation == "DescribeTable":
			fmt.Fprint(w, `{"Table": {"TableStatus": "ACTIVE"}}`)
		case operation == "PutItem":
			tables[request.TableName] = request.Item
			fmt.Fprint(w, `{}`)
		case operation == "GetItem" && record != nil:
			fmt.Fprintf(w, `{"Item": %s}`, record)
		default:
			fmt.Fprint(w, `{}`)
		}
	}
	server := http.Server{Addr: "127.0.0.1:" + os.Args[1], Handler: http.HandlerFunc(handle), ReadHeaderTimeout: time.Minute}
	fmt.Fprintln(os.Stderr, "Exception:", server.ListenAndServe())
	os.Exit(1)
}

// dockerScript runs fake-dynamodb for a container; beside it, a file with the container's label and process.
const dockerScript = `#!/bin/sh
cd "$(dirname "$0")"
[ ! -e broken ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
for last in "$@"; do :; done
case $1 in
version) echo 28 ;;
run)
	for a in "$@"; do
		case $a in
		zae-limiter.local=*) id=${a#*=} ;;
		127.0.0.1:*:8000) port=${a#127.0.0.1:} port=${port%:8000} ;;
		no-such-image) echo "pulling"; echo "no such image" >&2; exit 125 ;;
		esac
	done
	fake-dynamodb "$port" >/dev/null 2>&1 </dev/null &
	echo "$id $!" >container-of-the-fake
	echo container-of-the-fake ;;
inspect)
	read -r id pid <"$last" && kill -0 "$pid" && echo "$id" ;;
rm)
	read -r id pid <"$last" && kill -9 "$pid" && rm "$last" && echo "$last" ;;
esac
`

// fakeDocker adds a docker command to PATH, and returns a free port.
func fakeDocker(t *testing.T) (port string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the fake is a shell script")
	}
	folder := fakeProgram(t, "docker", dockerScript)
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Cleanup(func() {
		if text, err := os.ReadFile(filepath.Join(folder, "container-of-the-fake")); err == nil {
			_, pid, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
			if n, err := strconv.Atoi(pid); err == nil {
				process, _ := os.FindProcess(n) // always found
				_ = process.Kill()              // it may have ended
			}
		}
	})
	return freePort(t)
}

func fakeProgram(t *testing.T, name, script string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

func freePort(t *testing.T) string {
	t.Helper()
	port, err := dynamolocal.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

func localStatus(t *testing.T, s *shell, code int) (d localDoc) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.want(code, "local", "status", "-o", "json").out), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func wants(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in %q", part, got)
		}
	}
}

func TestLocalDocker(t *testing.T) {
	port := fakeDocker(t)
	s := newShell(t)
	s.env["ZAE_LIMITER_LOCAL_PORT"] = port
	wants(t, s.want(exitDone, "local", "down").err, "nothing to stop")
	r := s.want(exitDone, "local", "up")
	if want := "export ZAE_LIMITER_NAME=limiter\nexport AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:" + port +
		"\nexport AWS_REGION=${AWS_REGION:-us-east-1}\n"; r.out != want {
		t.Errorf("printed %q, not %q", r.out, want)
	}
	wants(t, r.err, "container container-of", "table limiter", "zae-limiter local down")
	for _, name := range []string{"limiter", "other"} { // the first exists, the second does not
		if r := s.want(exitDone, "local", "up", "-n", name); strings.Contains(r.err, "starting") {
			t.Error("started twice:", r.err)
		}
		if _, err := dynamo.Open(t.Context(), name, &dynamo.Options{Endpoint: "http://127.0.0.1:" + port}); err != nil {
			t.Error(err)
		}
	}
	wants(t, s.want(exitFailed, "local", "up", "--port", "1").err, "already running on port "+port)
	if d := localStatus(t, s, exitDone); !d.Running || !d.Reachable || deref(d.Table) != "other" || deref(d.Runtime) != "docker" || d.PID != nil {
		t.Errorf("%+v", d)
	}
	wants(t, s.want(exitDone, "local", "down").err, "DynamoDB Local on http://127.0.0.1:"+port, " stopped")
	if d := localStatus(t, s, exitDone); d.Running {
		t.Errorf("%+v", d)
	}
	wants(t, s.want(exitDone, "local", "down").err, "nothing to stop")
}

// TestLocalPort checks that the wait for a free port ends.
func TestLocalPort(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port, looks := listener.Addr().(*net.TCPAddr).Port, 0
	free := func(ctx context.Context, _ time.Duration) error {
		if looks++; looks == 3 {
			listener.Close()
		}
		return ctx.Err()
	}
	never := func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	if err := awaitPortFree(t.Context(), never, port); !errors.Is(err, errLocalPortInUse) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Errorf("a port that stays in use: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := awaitPortFree(ctx, free, port); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	looks = 0
	if err := awaitPortFree(t.Context(), free, port); err != nil || looks != 3 {
		t.Errorf("a port that becomes free: %v after %d looks", err, looks)
	}
}

// TestLocalFails checks that errors have all reasons and say what to install, and that nothing is left running.
func TestLocalFails(t *testing.T) {
	port := fakeDocker(t)
	s := newShell(t)
	s.env["ZAE_LIMITER_LOCAL_PORT"] = port
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, busy, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	wants(t, s.want(exitFailed, "local", "up", "--port", busy).err, "port "+busy+" cannot be used: choose another with --port")
	s.want(exitUsage, "local", "up", "--port", "70000")
	s.want(exitUsage, "local", "up", "--runtime", "podman")
	if r := s.want(exitUsage, "local", "up", "--name", "gw"); strings.Contains(r.err, "starting") {
		t.Errorf("started before the name was looked at: %s", r.err)
	}
	wants(t, s.want(exitFailed, "local", "up", "--runtime", "docker", "--image", "no-such-image").err, "docker run: exit status 125: no such image")

	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", t.TempDir())
	wants(t, s.want(exitFailed, "local", "up").err, "install Docker, or a Java runtime", "docker: there is no docker command", "java: not installed: java is not in PATH")
	folder := fakeProgram(t, "docker", "#!/bin/sh\necho 'Cannot connect' >&2; exit 1")
	t.Setenv("PATH", folder)
	wants(t, s.want(exitFailed, "local", "up").err, "docker: the Docker engine does not answer", "Cannot connect", "java: not installed")
	if d := localStatus(t, s, exitDone); d.Running {
		t.Errorf("%+v", d)
	}
	if err := os.WriteFile(filepath.Join(s.env["XDG_DATA_HOME"], "zae-limiter", "local", "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, s.want(exitFailed, "local", "status").err, "state.json cannot be read: remove it")
}

// fakeJava adds a java command to PATH that runs fake-dynamodb or prints an error, and puts a program into the cache.
func fakeJava(t *testing.T, script string) (port string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the cache is where XDG_CACHE_HOME says on Linux only")
	}
	cache := t.TempDir()
	if err := os.MkdirAll(filepath.Join(cache, "zae-limiter", "dynamodb-local", dynamolocal.Version, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", fakeProgram(t, "java", "#!/bin/sh\n"+script)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return freePort(t)
}

const javaScript = `while [ "$1" != -port ]; do all="$all $1"; shift; done
exec fake-dynamodb "$2" $all`

func TestLocalJava(t *testing.T) {
	port := fakeJava(t, javaScript)
	s := newShell(t)
	up := []string{"local", "up", "--runtime", "java", "--port", port}
	wants(t, s.want(exitDone, up...).err, "in process ", "table limiter")
	d := localStatus(t, s, exitDone)
	if !d.Running || !d.Reachable || deref(d.Runtime) != "java" || d.PID == nil || *d.PID == os.Getpid() {
		t.Fatalf("%+v", d)
	}
	wants(t, s.want(exitDone, "local", "down").err, fmt.Sprintf("process %d stopped", *d.PID))

	// Another process has its number by now, and must not be stopped.
	s.want(exitDone, up...)
	process, err := os.FindProcess(*localStatus(t, s, exitDone).PID)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.env["XDG_DATA_HOME"], "zae-limiter", "local", "state.json")
	state, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(state), fmt.Sprintf(`"pid":%d`, process.Pid), fmt.Sprintf(`"pid":%d`, os.Getpid()), 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil || changed == string(state) {
		t.Fatal(err, changed)
	}
	if d := localStatus(t, s, exitDone); d.Running {
		t.Errorf("another process is taken for it: %+v", d)
	}
	wants(t, s.want(exitDone, "local", "down").err, "had already stopped")
	if err := process.Kill(); err != nil {
		t.Errorf("it should still be there: %v", err)
	}
}

// TestLocalJavaFails checks that the error has the reason from the program's log.
func TestLocalJavaFails(t *testing.T) {
	port := fakeJava(t, "echo 'Error: class file has wrong version 61.0' >&2; exit 1")
	s := newShell(t)
	r := s.want(exitFailed, "local", "up", "--runtime", "java", "--port", port)
	wants(t, r.err, "java: DynamoDB Local ended before it answered: Error: class file has wrong version 61.0")
	if d := localStatus(t, s, exitDone); d.Running {
		t.Errorf("%+v", d)
	}
}

// TestLocalInterrupted checks that an interrupted start leaves nothing running.
func TestLocalInterrupted(t *testing.T) {
	port := fakeJava(t, "echo started >&2; exec sleep 60")
	s := newShell(t)
	ctx, cancel := context.WithCancel(t.Context())
	log := filepath.Join(s.env["XDG_DATA_HOME"], "zae-limiter", "local", "log")
	go func() {
		for text := ""; text == ""; {
			read, _ := os.ReadFile(log) // it may not be there yet
			text = string(read)
		}
		cancel()
	}()
	if r := s.runContext(ctx, "local", "up", "--runtime", "java", "--port", port); r.code != exitInterrupted {
		t.Errorf("%+v", r)
	}
	wants(t, s.want(exitDone, "local", "down").err, "nothing to stop")
}

// TestLocalReal runs DynamoDB Local itself.
func TestLocalReal(t *testing.T) {
	dynamotest.MustHaveJava(t)
	s := newShell(t)
	port := freePort(t)
	s.want(exitDone, "local", "up", "--runtime", "java", "--port", port, "--name", "real")
	defer s.run("local", "down")
	o := &dynamo.Options{Endpoint: "http://127.0.0.1:" + port}
	store, err := dynamo.Open(t.Context(), "real", o)
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	s.want(exitDone, "local", "up", "--port", port, "--name", "real")
	s.want(exitDone, "local", "down")
	if d := localStatus(t, s, exitDone); d.Running {
		t.Errorf("%+v", d)
	}
}
