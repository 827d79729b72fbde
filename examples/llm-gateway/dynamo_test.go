package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

func TestMain(m *testing.M) { dynamotest.Main(m) }

// running is a gateway that serves on 127.0.0.1, as the program does.
type running struct {
	api, admin string // URLs
	stop       context.CancelFunc
	done       chan error // gets what serve returns
	table      string
	store      *dynamo.Options
}

// runOn starts the program on a table, which is created if it is missing.
func runOn(t *testing.T, s *dynamotest.Server, table string, u *upstream, flags ...string) *running {
	t.Helper()
	c, _ := parse(t, append([]string{
		"--endpoint=" + s.Endpoint, "--region=us-east-1", "--table=" + table, "--keys=" + testKeys(t),
		"--upstream=" + u.URL, "--upstream-key=" + upstreamSecret, "--timeout=1m",
	}, flags...))
	createTable(t, c.Endpoint, table)
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, done: make(chan error, 1), table: table, store: &dynamo.Options{Region: c.Region, Endpoint: c.Endpoint}}
	var listeners [2]net.Listener
	for i, at := range []*string{&r.api, &r.admin} {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], *at = listener, "http://"+listener.Addr().String()
	}
	go func() { r.done <- serve(ctx, &c, listeners[0], listeners[1], slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		_ = r.ended()
	})
	if status, _ := get(t, r.admin+"/ready"); status != http.StatusOK {
		t.Fatalf("the gateway is not ready: %d", status)
	}
	return r
}

// createTable runs the command of the compose file's service table. A table that exists stays as it is.
func createTable(t *testing.T, endpoint, table string) {
	t.Helper()
	arguments := here(compose(t).Services["table"])[1:]
	c, _ := parse(t, append(arguments, "--endpoint="+endpoint, "--region=us-east-1", "--table="+table))
	if err := run(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
}

// newTable returns the name of a table that does not exist, and is deleted with the test.
func newTable(t *testing.T, s *dynamotest.Server) string {
	t.Helper()
	table := "llm-gateway-" + rand.Text()
	t.Cleanup(func() {
		_, err := dynamodb.NewFromConfig(s.Config()).DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &table})
		if err != nil {
			t.Error(err)
		}
	})
	return table
}

// ended waits for serve, and returns its error.
func (r *running) ended() error {
	err := <-r.done
	r.done <- nil // for the end of the test
	return err
}

// limiter returns a limiter on the gateway's table.
func (r *running) limiter(t *testing.T) *engine.Limiter {
	t.Helper()
	store, err := dynamo.Open(t.Context(), r.table, r.store)
	if err != nil {
		t.Fatal(err)
	}
	limiter, err := engine.New(store, &engine.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = limiter.Close(), store.Close() })
	return limiter
}

// setLimits sets those of gpt-4 to what the compose file's keys have.
func (r *running) setLimits(t *testing.T) {
	t.Helper()
	limits := []engine.Limit{engine.PerMinute("rpm", 60), engine.PerMinute("tpm", 20_000)}
	if err := r.limiter(t).SetResourceDefaults(t.Context(), "gpt-4", limits); err != nil {
		t.Fatal(err)
	}
}

// used returns the tokens that are charged to an entity.
func (r *running) used(t *testing.T, entity string) engine.Tokens {
	t.Helper()
	states, err := r.limiter(t).BucketStates(t.Context(), []engine.BucketName{{Entity: entity, Resource: "gpt-4"}})
	if err != nil {
		t.Fatal(err)
	}
	used := engine.Tokens{}
	for _, s := range states {
		for _, l := range s.Limits {
			used[l.Limit.Name] = l.Used
		}
	}
	return used
}

// applyLimits runs the command of the compose file's service limits.
func applyLimits(t *testing.T, s *dynamotest.Server, table string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "zae-limiter")
	build := exec.Command("go", "build", "-o", program, "./cmd/zae-limiter")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	service := compose(t).Services["limits"]
	arguments := here(service)
	for i, a := range arguments {
		a = strings.ReplaceAll(a, "--name=gateway", "--name="+table)
		arguments[i] = strings.ReplaceAll(a, "http://dynamodb:8000", s.Endpoint)
	}
	for name, value := range service.Environment {
		t.Setenv(name, *value)
	}
	if out, err := exec.Command(program, arguments[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func get(t *testing.T, address string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

// Two gateways share the limits of the compose file, and Prometheus gets what they did.
func TestOnDynamoDB(t *testing.T) {
	s, u := dynamotest.Shared(t), newUpstream(t)
	u.usage = &usage{10, 20}
	table := newTable(t, s)
	createTable(t, s.Endpoint, table) // in the order of the compose file
	applyLimits(t, s, table)
	first := runOn(t, s, table, u)
	second := runOn(t, s, table, u)

	began, admitted := time.Now(), 0
	for ; ; admitted++ {
		gateway := []*running{first, second}[admitted%2]
		a := send(t.Context(), t, gateway.api, "alice", wholeCall)
		if a.status == http.StatusTooManyRequests {
			if a.header.Get("Retry-After") == "" || a.header.Get("X-Ratelimit-Limit-Requests") != "60" {
				t.Error(a.header)
			}
			break
		}
		if a.status != http.StatusOK {
			t.Fatalf("call %d: %d", admitted, a.status)
		}
	}
	if most := 60 + int(time.Since(began)/time.Second) + 1; admitted < 60 || admitted > most {
		t.Errorf("two gateways have admitted %d calls, of 60 to %d", admitted, most)
	}
	for _, entity := range []string{"key-of-alice", "acme"} {
		if used := first.used(t, entity); used["rpm"] != int64(admitted) || used["tpm"] != int64(30*admitted) {
			t.Errorf("%s has used %v after %d calls", entity, used, admitted)
		}
	}
	sum := decisions(t, first.admin)
	for outcome, n := range decisions(t, second.admin) {
		sum[outcome] += n
	}
	if sum["admitted"] != float64(admitted) || sum["denied"] != 1 {
		t.Errorf("Prometheus gets %v, not %d admissions and a denial", sum, admitted)
	}
}

// A gateway that is told to stop is not ready, goes on with the streams that run, and ends when they have.
func TestShutdown(t *testing.T) {
	s, u := dynamotest.Shared(t), newUpstream(t)
	u.pauseAfter(1)
	table := newTable(t, s)
	r := runOn(t, s, table, u)
	r.setLimits(t)
	stream := bufio.NewScanner(send(t.Context(), t, r.api, "alice", streamCall).body)
	if readPieces(stream, 1) != 1 {
		t.Fatal("no stream")
	}

	r.stop()
	for status := http.StatusOK; status != http.StatusServiceUnavailable; {
		status, _ = get(t, r.admin+"/ready")
	}
	u.goOn(2)
	if n := readPieces(stream, 3); n != 2 || stream.Text() != "" {
		t.Errorf("%d pieces after the stop, the last line is %q", n, stream.Text())
	}
	if err := r.ended(); err != nil {
		t.Error(err)
	}
	if used := r.used(t, "key-of-alice"); used["tpm"] != promptSize+3*2 {
		t.Errorf("%v is charged", used)
	}
	at, err := url.Parse(r.api)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", at.Host); err == nil {
		_ = conn.Close()
		t.Error("the gateway still listens")
	}
}

// A stream that takes longer than the drain is cut, and what it has used is charged.
func TestShutdownCuts(t *testing.T) {
	s, u := dynamotest.Shared(t), newUpstream(t)
	u.pauseAfter(1)
	table := newTable(t, s)
	r := runOn(t, s, table, u, "--drain=1ms")
	r.setLimits(t)
	if readPieces(bufio.NewScanner(send(t.Context(), t, r.api, "alice", streamCall).body), 1) != 1 {
		t.Fatal("no stream")
	}
	r.stop()
	<-u.gone
	if err := r.ended(); err != nil {
		t.Error(err)
	}
	if used := r.used(t, "key-of-alice"); used["tpm"] != promptSize+2 {
		t.Errorf("%v is charged", used)
	}
}

// Who creates the table waits until DynamoDB can be reached.
func TestDynamoDBStarts(t *testing.T) {
	s := dynamotest.Shared(t)
	at, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	started, calls := httputil.NewSingleHostReverseProxy(at), atomic.Int32{}
	starts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusTooManyRequests) // not carried out, as if nothing listened
			return
		}
		started.ServeHTTP(w, r)
	}))
	t.Cleanup(starts.Close)
	table := newTable(t, s)
	createTable(t, starts.URL, table)
	runOn(t, s, table, newUpstream(t))
}

// If DynamoDB dies, the gateway admits calls, all or its share of the limits, unless it shall not, and says so in its metrics.
func TestDynamoDBDies(t *testing.T) {
	s, u := dynamotest.Start(t, nil), newUpstream(t)
	const table = "llm-gateway"
	allows, blocks := runOn(t, s, table, u, "--timeout=10s"), runOn(t, s, table, u, "--timeout=10s", "--on-unavailable=block")
	shares := runOn(t, s, table, u, "--timeout=10s", "--on-unavailable=local", "--local-share=0.5")
	allows.setLimits(t)
	for _, r := range []*running{allows, blocks, shares} {
		if a := send(t.Context(), t, r.api, "alice", wholeCall); a.status != 200 || a.header.Get("X-Ratelimit-Limit-Requests") != "60" {
			t.Fatal(a)
		}
	}
	s.Kill(t)
	if a := send(t.Context(), t, allows.api, "alice", wholeCall); a.status != 200 || a.header.Get("X-Ratelimit-Limit-Requests") != "" {
		t.Error(a)
	}
	if a := send(t.Context(), t, shares.api, "alice", wholeCall); a.status != 200 || a.header.Get("X-Ratelimit-Limit-Requests") != "30" {
		t.Error(a)
	}
	if a := send(t.Context(), t, blocks.api, "alice", wholeCall); a.status != 503 || a.header.Get("Retry-After") != "1" {
		t.Error(a)
	}
	if n := scrape(t, allows.admin)["zae_limiter_degraded_total"].GetMetric()[0].GetCounter().GetValue(); n != 1 {
		t.Errorf("Prometheus gets %v admissions without the store", n)
	}
}
