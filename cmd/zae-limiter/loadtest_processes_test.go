package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
)

// The variables that tell fakeLoadProcess what to do, and where to write down its process.
const (
	fakeLoadVariable   = "FAKE_LOAD_PROCESS"
	fakeLoadPIDs       = "FAKE_LOAD_PROCESS_PIDS"
	fakeLoadSeed       = 2 // of the process that misbehaves: the second one
	loadtestOfSeconds  = "--timeout 20s loadtest -l rps:20/s --entities 1 --seed 1 --rate 90 --warm-up 0s --no-plot -o json "
	loadtestOfTwoShort = loadtestOfSeconds + "--processes 2 --duration 1s "
)

// fakeLoadProcess is a process of a load test. The second one of a test misbehaves as the variable says.
func fakeLoadProcess() {
	in := bufio.NewReader(os.Stdin)
	line, _ := in.ReadString('\n')
	var spec loadSpec
	_ = json.Unmarshal([]byte(line), &spec)
	pid := filepath.Join(os.Getenv(fakeLoadPIDs), strconv.Itoa(os.Getpid()))
	_ = os.WriteFile(pid, nil, 0o600)
	if does := os.Getenv(fakeLoadVariable); spec.Options.Seed == fakeLoadSeed && does != "works" {
		misbehave(does, in)
		return
	}
	w := realHost()
	w.In = io.MultiReader(strings.NewReader(line), in)
	os.Exit(run(context.Background(), os.Args[1:], w))
}

func misbehave(does string, in io.Reader) {
	switch does {
	case "fails":
		fmt.Fprintln(os.Stdout, `{"failed":"store unavailable: no route","code":5}`)
		return
	case "says rubbish":
		fmt.Fprintln(os.Stdout, "hello")
		_, _ = io.Copy(io.Discard, in)
		return
	}
	fmt.Fprintln(os.Stdout, `{"ready":true}`)
	switch does {
	case "dies":
		fmt.Fprintln(os.Stderr, "goroutine 1 [running]:\nout of memory")
		os.Exit(7)
	case "ends early":
		_, _ = in.Read(make([]byte, 1))
	case "reports unknown events":
		fmt.Fprintln(os.Stdout, `{"events":[{"p":1,"t":1}]}`)
	case "reports rubbish":
		fmt.Fprintln(os.Stdout, `{"part":{"Latency":"bm8="}}`)
	case "hangs":
		select {}
	}
}

// withProcesses runs a load test of the fake processes on DynamoDB Local, and returns which processes it has started.
func withProcesses(ctx context.Context, t *testing.T, does, line string) (code int, out, said string, pids []int) {
	t.Helper()
	name, o := dynamotest.Table(t)
	t.Setenv(fakeLoadVariable, does)
	folder := t.TempDir()
	t.Setenv(fakeLoadPIDs, folder)
	var stdout, stderr bytes.Buffer
	w := realHost()
	w.In, w.Out, w.Err = strings.NewReader(""), &stdout, &stderr
	w.Terminal, w.Getenv = func(any) bool { return false }, func(string) string { return "" }
	w.Program = func() (string, error) { return exec.LookPath("fake-load-process") }
	code = run(ctx, append([]string{"--name", name, "--region", o.Region, "--endpoint-url", o.Endpoint}, strings.Fields(line)...), w)
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		pid, err := strconv.Atoi(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return code, stdout.String(), stderr.String(), pids
}

// wantEnded checks that processes run no more.
func wantEnded(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if p, err := os.FindProcess(pid); err == nil && p.Signal(syscall.Signal(0)) == nil {
			t.Errorf("process %d still runs", pid)
		}
	}
}

// TestLoadtestOfProcesses sends load from three processes to one bucket, whose limit holds for all of them together.
func TestLoadtestOfProcesses(t *testing.T) {
	for _, flags := range []string{"", "--prefetch --mode allow --limiters 2", "--roll-back 0.5 --depth 2 --skew 2 --entities 5"} {
		code, out, said, pids := withProcesses(t.Context(), t, "works", loadtestOfSeconds+"--processes 3 --duration 1s "+flags)
		var d loadDoc
		if err := json.Unmarshal([]byte(out), &d); err != nil || code != exitDone {
			t.Fatalf("%s: exit code %d, %v: %s%s", flags, code, err, out, said)
		}
		a := d.Acquires
		if len(pids) != 3 || d.Processes != 3 || a.Sent < 45 || a.Sent != a.Admitted+a.Denied+a.Failed || a.Admitted < 20 || !d.Bound.Kept || !d.Completed {
			t.Errorf("%s: %d processes: %+v, bound %+v", flags, len(pids), a, d.Bound)
		}
		if d.Latency.P50 <= 0 || d.Cost.Writes <= 0 || d.Cost.Requests == nil || len(d.Series) == 0 || !strings.Contains(said, "from 3 processes") {
			t.Errorf("%s: %+v, %+v: %s", flags, d.Latency, d.Cost, said)
		}
		if want := map[bool]float64{true: 1, false: 0}[d.Prefetch]; d.Bound.Excess != want {
			t.Errorf("%s: %v s of excess are allowed", flags, d.Bound.Excess)
		}
		wantEnded(t, pids)
	}
}

// TestLoadtestOfBadProcesses says which process failed, and why, and leaves none behind.
func TestLoadtestOfBadProcesses(t *testing.T) {
	for does, want := range map[string]struct {
		code int
		says string
	}{
		"dies":                   {exitFailed, "process 2 of the load test failed: it ended without a report: exit status 7: out of memory: all are stopped; run"},
		"ends early":             {exitFailed, "process 2 of the load test failed: it ended without a report: all are stopped"},
		"hangs":                  {exitFailed, "process 2 of the load test failed: it has not reported for 8s: all are stopped"},
		"says rubbish":           {exitFailed, "process 2 of the load test failed: it printed something that is no report"},
		"reports rubbish":        {exitFailed, "process 2 of the load test failed: it printed something that is no report"},
		"reports unknown events": {exitFailed, "process 2 of the load test failed: it printed something that is no report"},
		"fails":                  {exitUnavailable, "process 2 of the load test failed: store unavailable: no route"},
	} {
		line := loadtestOfTwoShort
		if does == "hangs" {
			line += "--patience 8s"
		}
		code, out, said, pids := withProcesses(t.Context(), t, does, line)
		if code != want.code || out != "" || !strings.Contains(said, want.says) || len(pids) != 2 {
			t.Errorf("%s: exit code %d, %d processes: %s%s", does, code, len(pids), out, said)
		}
		wantEnded(t, pids)
	}
}

// TestLoadtestOfProcessesInterrupted: the processes stop, and what they have sent until then is reported.
func TestLoadtestOfProcessesInterrupted(t *testing.T) {
	var d loadDoc
	for wait := 3 * time.Second; d.Acquires.Sent == 0; wait *= 2 { // how long the processes take to start depends on the machine
		ctx, stop := context.WithTimeout(t.Context(), wait)
		defer stop()
		interrupted, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		context.AfterFunc(ctx, interrupt)
		code, out, said, pids := withProcesses(interrupted, t, "works", loadtestOfSeconds+"--processes 2 --duration 1h --rate 50")
		wantEnded(t, pids)
		if out == "" && code == exitInterrupted && wait < time.Minute {
			continue
		}
		if err := json.Unmarshal([]byte(out), &d); err != nil || code != exitInterrupted || d.Completed || d.Acquires.Sent == 0 && wait > time.Minute {
			t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if code, out, said, pids := withProcesses(ctx, t, "works", loadtestOfTwoShort); code != exitInterrupted || out != "" {
		t.Errorf("before the start: exit code %d: %s%s", code, out, said)
	} else {
		wantEnded(t, pids)
	}
}

// TestLoadtestProcessAlone: the hidden command says what to use instead.
func TestLoadtestProcessAlone(t *testing.T) {
	s := newShell(t)
	wants(t, s.want(exitUsage, "loadtest-process").err, "use loadtest --processes N")
}
