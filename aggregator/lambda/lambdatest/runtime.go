package lambdatest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Runtime is a function's program, with the Runtime API from which it takes events. It is safe for concurrent use; the program
// processes one event at a time.
type Runtime struct {
	work   chan *invocation
	exited chan struct{}
	cmd    *exec.Cmd
	log    buffer

	lock    sync.Mutex
	running map[string]*invocation
	last    int
}

// invocation is one event and its answer.
type invocation struct {
	event    []byte
	deadline time.Time
	answer   chan answer // holds one
}

type answer struct {
	body []byte
	err  error
}

// Start starts a program as the Lambda service does, with these variables besides PATH, HOME and TMPDIR. It ends with the
// test.
func Start(t testing.TB, program string, env ...string) *Runtime {
	t.Helper()
	r := &Runtime{work: make(chan *invocation), exited: make(chan struct{}), running: map[string]*invocation{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	const path = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+path+"invocation/next", r.next)
	mux.HandleFunc("POST "+path+"invocation/{id}/response", r.response)
	mux.HandleFunc("POST "+path+"invocation/{id}/error", r.response)
	mux.HandleFunc("POST "+path+"init/error", r.response)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	r.cmd = exec.Command(program)
	r.cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=test"}, env...)
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		r.cmd.Env = append(r.cmd.Env, name+"="+os.Getenv(name))
	}
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // how it ended is told by the log
		close(r.exited)
	}()
	t.Cleanup(func() {
		r.Kill()
		_ = server.Close()
		if t.Failed() {
			t.Logf("the function's log:\n%s", r.Log())
		}
	})
	return r
}

// Invoke passes an event to the function and returns its answer, ErrFunction if that is an error, or ErrExited if the program
// has ended.
func (r *Runtime) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Unix(1<<33, 0)
	}
	i := &invocation{event: event, deadline: deadline, answer: make(chan answer, 1)}
	select {
	case r.work <- i:
	case <-r.exited:
		return nil, ErrExited
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-i.answer:
		return a.body, a.err
	case <-r.exited:
		return nil, ErrExited
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Kill ends the program at once and waits for its end.
func (r *Runtime) Kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	<-r.exited
}

// Exited is closed when the program has ended.
func (r *Runtime) Exited() <-chan struct{} { return r.exited }

// Log returns what the program has written so far. Text that it wrote before an answer may arrive after it: see [Runtime.Wrote].
func (r *Runtime) Log() string { return r.log.String() }

// Wrote reports whether the program has written a text, or writes it within ten seconds.
func (r *Runtime) Wrote(text string) bool {
	tick, end := time.NewTicker(5*time.Millisecond), time.NewTimer(10*time.Second)
	defer tick.Stop()
	defer end.Stop()
	for !strings.Contains(r.Log(), text) {
		select {
		case <-tick.C:
		case <-end.C:
			return false
		}
	}
	return true
}

func (r *Runtime) next(w http.ResponseWriter, q *http.Request) {
	select {
	case i := <-r.work:
		r.lock.Lock()
		r.last++
		id := "request-" + strconv.Itoa(r.last)
		r.running[id] = i
		r.lock.Unlock()
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:test")
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(i.event) // a program that is gone is told by exited
	case <-q.Context().Done():
	}
}

func (r *Runtime) response(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err == nil && strings.HasSuffix(q.URL.Path, "/error") {
		err = functionFailed(body)
	}
	r.lock.Lock()
	i := r.running[q.PathValue("id")]
	delete(r.running, q.PathValue("id"))
	r.lock.Unlock()
	if i != nil {
		i.answer <- answer{body, err}
	}
	w.WriteHeader(http.StatusAccepted)
}

// buffer is a log that is written and read at the same time.
type buffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *buffer) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.String()
}
