package dynamotest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

func TestMain(m *testing.M) { Main(m) }

func tables(t testing.TB, s *Server) []string {
	t.Helper()
	out, err := dynamodb.NewFromConfig(s.Config()).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	return out.TableNames
}

func has(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func TestTable(t *testing.T) {
	t.Parallel()
	s := Shared(t)
	var gone string
	t.Run("inner, with a name/that no table has", func(t *testing.T) {
		first, o := Table(t)
		second, _ := Table(t)
		if first == second {
			t.Error("a table is not fresh")
		}
		store, err := dynamo.Open(t.Context(), first, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		ttl, err := dynamodb.NewFromConfig(*o.Config).DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &first})
		if err != nil || ttl.TimeToLiveDescription.TimeToLiveStatus != "DISABLED" {
			t.Errorf("TTL: %+v, %v", ttl, err)
		}
		gone = first
	})
	if has(tables(t, s), gone) {
		t.Errorf("%s outlives its test", gone)
	}
}

// TestStreamTable: only tables that are asked for have a stream, for every other one would slow all of them down.
func TestStreamTable(t *testing.T) {
	t.Parallel()
	for want, table := range map[bool]func(testing.TB) (string, *dynamo.Options){false: Table, true: StreamTable} {
		name, o := table(t)
		reply, err := dynamodb.NewFromConfig(*o.Config).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			t.Fatal(err)
		}
		stream := reply.Table.StreamSpecification
		if got := stream != nil && stream.StreamViewType == types.StreamViewTypeNewAndOldImages; got != want {
			t.Errorf("a stream: %v, not %v", got, want)
		}
	}
}

// TestOpenFallsThrough wants every way tried in order, and the reasons kept.
func TestOpenFallsThrough(t *testing.T) {
	var folders []string
	fails := func(reason string) func(context.Context, string, Options) (*Server, error) {
		return func(_ context.Context, folder string, _ Options) (*Server, error) {
			folders = append(folders, folder)
			return nil, errors.New(reason)
		}
	}
	works := func(_ context.Context, folder string, _ Options) (*Server, error) {
		folders = append(folders, folder)
		return &Server{Endpoint: "e", stop: func() error { return nil }}, nil
	}
	s, err := open(t.Context(), []way{{"a", fails("no a")}, {"b", works}, {"c", fails("not reached")}}, "", Options{})
	if err != nil || s.Way != "b" || len(folders) != 2 {
		t.Fatalf("%+v, %v, %v", s, err, folders)
	}
	if err := errors.Join(s.stop(), s.stop()); err != nil {
		t.Error(err)
	}
	_, err = open(t.Context(), []way{{"a", fails("no a")}, {"c", fails("no c")}}, "", Options{})
	if err == nil || !strings.Contains(err.Error(), "a: no a; c: no c: ") || !strings.Contains(err.Error(), "make setup") {
		t.Error(err)
	}
	for _, folder := range folders {
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%s stays behind", folder)
		}
	}
	if s, err = open(t.Context(), []way{{"a", works}, {"c", fails("no c")}}, "c", Options{}); err == nil || !strings.Contains(err.Error(), "a: ruled out") {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestGivenEndpoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ endpoint, says string }{
		{"", endpointVariable + " is not set"},
		{"http://127.0.0.1:1", "does not answer"},
		{"localhost:8000", "does not answer"},
	} {
		t.Run(c.endpoint, func(t *testing.T) {
			t.Parallel() // an emulator that does not answer is waited for
			out, err := again(t, "TestAgain", endpointVariable+"="+c.endpoint, wayVariable+"=endpoint").CombinedOutput()
			if err != nil || !strings.Contains(string(out), c.says) || !strings.Contains(string(out), "--- SKIP: TestAgain") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	s := Shared(t)
	out, err := again(t, "TestAgain", endpointVariable+"="+s.Endpoint+"/", wayVariable+"=endpoint").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "way endpoint at "+s.Endpoint+"\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// again is this test program once more, running one test with other variables.
func again(t *testing.T, test string, variables ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^"+test+"$", "-test.v")
	c.Env = append(append(os.Environ(), alltests.RequireVariable+"=", "DYNAMOTEST_AGAIN=1"), variables...)
	return c
}

// TestAgain is what other tests run in a process of its own: it tells its emulator and, where asked, waits to be killed.
func TestAgain(t *testing.T) {
	if os.Getenv("DYNAMOTEST_AGAIN") == "" {
		return // it is of use in a process that another test starts
	}
	name, _ := Table(t)
	s := Shared(t)
	if !has(tables(t, s), name) {
		t.Errorf("no table %s", name)
	}
	fmt.Fprintln(os.Stdout, "way", s.Way, "at", s.Endpoint)
	if os.Getenv("DYNAMOTEST_WAIT") != "" {
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
}

// TestSkips runs a test where there is neither Java nor anything else: it is skipped with one line that says why, and
// fails if a DynamoDB is required. It is also skipped if nobody asks for it.
func TestSkips(t *testing.T) {
	t.Parallel()
	nothing := []string{wayVariable + "=java", "PATH=" + t.TempDir(), "JAVA_HOME="}
	out, err := again(t, "TestAgain", nothing...).CombinedOutput()
	var closing string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "dynamotest: not run: TestAgain: ") {
			closing = line
		}
	}
	for _, part := range []string{"java is not in PATH", "docker: ruled out", "make setup", endpointVariable} {
		if err != nil || !strings.Contains(closing, part) {
			t.Errorf("%v; %q is not in the closing line of\n%s", err, part, out)
		}
	}
	out, err = again(t, "TestAgain", wayVariable+"=", endpointVariable+"=", alltests.Variable+"=").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\ndynamotest: not run: TestAgain: tests on DynamoDB were not asked for: run `make test`") {
		t.Errorf("%v; not asked for:\n%s", err, out)
	}
	out, err = again(t, "TestAgain", append(nothing, alltests.RequireVariable+"=moto,dynamodb")...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--- FAIL: TestAgain") || !strings.Contains(string(out), "java is not in PATH") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestEndsWithItsProcess kills a test process, after which nothing may be left of its emulator. PATH has Java only:
// what is in the cache needs no Maven.
func TestEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("an emulator outlives a killed test process on Windows; see guarded")
	}
	path, temporary := t.TempDir(), t.TempDir()
	if err := os.Symlink(MustHaveJava(t).Java, filepath.Join(path, "java")); err != nil {
		t.Fatal(err)
	}
	c := again(t, "TestAgain", wayVariable+"=java", "DYNAMOTEST_WAIT=1", "TMPDIR="+temporary, "PATH="+path, "JAVA_HOME=")
	in, err := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err, err2, c.Start()); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var endpoint, printed string
	for lines := bufio.NewScanner(out); endpoint == "" && lines.Scan(); printed += lines.Text() + "\n" {
		_, endpoint, _ = strings.Cut(lines.Text(), "way java at ")
	}
	if endpoint == "" || !answers(t.Context(), endpoint) {
		t.Fatalf("there is no emulator:\n%s", printed)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for left := 1; left > 0 && ctx.Err() == nil; {
		entries, err := os.ReadDir(temporary)
		if err != nil {
			t.Fatal(err)
		}
		left = len(entries)
	}
	if ctx.Err() != nil || answers(ctx, endpoint) {
		t.Errorf("%s still answers, or its files are still there: %v", endpoint, ctx.Err())
	}
}

func answers(ctx context.Context, endpoint string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, http.NoBody)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return true
}

func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	s := Start(t, &Options{OnDisk: true})
	name, _ := s.Table(t)
	endpoint := s.Endpoint
	s.Kill(t)
	if answers(t.Context(), endpoint) {
		t.Error("a killed emulator answers")
	}
	s.Restart(t)
	if s.Endpoint != endpoint || !has(tables(t, s), name) {
		t.Errorf("%s, %v", s.Endpoint, tables(t, s))
	}
}

// TestExactVersion wants what the other version is there for: the units of a transaction.
func TestExactVersion(t *testing.T) {
	t.Parallel()
	s := Start(t, &Options{Version: dynamolocal.VersionExact})
	name, _ := s.Table(t)
	if s.Version != "2.6.1" || !has(tables(t, s), name) {
		t.Errorf("%+v", s)
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	EnableTTL(t, name, o, "ttl")
	client := dynamodb.NewFromConfig(*o.Config)
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil || aws.ToString(ttl.TimeToLiveDescription.AttributeName) != "ttl" {
		t.Errorf("%+v, %v", ttl, err)
	}
}
