package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// service is the gateway on a memory store, with a clock that the test sets, and a fake upstream API.
type service struct {
	*httptest.Server
	limiter  *limitertest.Limiter
	upstream *upstream
	t        *testing.T
}

// start starts a gateway where a key has 3 requests and 2,000 tokens a minute, and its tenant 5 and 3,000.
func start(t *testing.T, o *engine.Options) *service {
	t.Helper()
	s := &service{limiter: limitertest.New(t, o), upstream: newUpstream(t), t: t}
	ctx := t.Context()
	for _, err := range []error{
		s.limiter.SetResourceDefaults(ctx, "gpt-4", []engine.Limit{engine.PerMinute("rpm", 3), engine.PerMinute("tpm", 2_000)}),
		s.limiter.SetLimits(ctx, "acme", "gpt-4", []engine.Limit{engine.PerMinute("rpm", 5), engine.PerMinute("tpm", 3_000)}),
		s.limiter.CreateEntity(ctx, engine.Entity{ID: "acme"}, nil),
		s.limiter.CreateEntity(ctx, engine.Entity{ID: "key-of-alice", Parent: "acme", Cascade: true}, nil),
		s.limiter.CreateEntity(ctx, engine.Entity{ID: "key-of-bob", Parent: "acme", Cascade: true}, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	keys, err := readKeys(testKeys(t))
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(s.upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{keys: keys, upstream: at, upstreamKey: upstreamSecret, client: s.upstream.Client(), log: slog.New(slog.DiscardHandler)}
	s.Server = httptest.NewServer(g.handler(limited(s.limiter.Limiter)))
	t.Cleanup(s.Close)
	return s
}

const (
	wholeCall  = `{"model":"gpt-4","max_tokens":100,"messages":[{"role":"user","content":"hello there"}]}`
	streamCall = `{"model":"gpt-4","stream":true,"messages":[{"role":"user","content":"hello there"}]}`
	promptSize = 4 // of both calls, as the gateway estimates it
)

// answer is what a client gets. The body is closed when the test ends.
type answer struct {
	status int
	header http.Header
	body   io.Reader
}

// send sends a call with the key of a name, until ctx ends.
func send(ctx context.Context, t *testing.T, api, name, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret-of-"+name)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return answer{response.StatusCode, response.Header, response.Body}
}

// readPieces reads n pieces of a stream.
func readPieces(lines *bufio.Scanner, n int) (read int) {
	for read < n && lines.Scan() {
		read += strings.Count(lines.Text(), "12345678")
	}
	return read
}

// call sends a call and reads the whole answer.
func (s *service) call(name, body string) (status int, header http.Header, text string) {
	s.t.Helper()
	a := send(s.t.Context(), s.t, s.URL, name, body)
	read, err := io.ReadAll(a.body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a.status, a.header, string(read)
}

// A whole answer takes an estimate, and then what the upstream API bills, from the key and from its tenant.
func TestWhole(t *testing.T) {
	s := start(t, nil)
	s.upstream.usage = &usage{10, 20}
	status, header, text := s.call("alice", wholeCall)
	if status != 200 || header.Get("X-Ratelimit-Remaining-Requests") != "2" || !strings.Contains(text, `"completion_tokens":20`) {
		t.Errorf("%d %v %s", status, header, text)
	}
	if got := header.Get("X-Ratelimit-Remaining-Tokens"); got != "1896" { // after the estimate
		t.Error(got)
	}
	for _, entity := range []string{"key-of-alice", "acme"} {
		s.limiter.AssertCharged(entity, "gpt-4", engine.Tokens{"rpm": 1, "tpm": 30})
	}
}

// A denial has OpenAI's headers and body, and holds as long as it says.
func TestDenial(t *testing.T) {
	s := start(t, nil)
	s.upstream.usage = &usage{1, 1}
	for range 3 {
		if status, _, text := s.call("carol", wholeCall); status != 200 {
			t.Fatal(status, text)
		}
	}
	status, header, text := s.call("carol", wholeCall)
	const want = `{"error":{"message":"Rate limit exceeded. Try again in 20s.","type":"requests","param":null,"code":"rate_limit_exceeded"}}` + "\n"
	if status != 429 || header.Get("Retry-After") != "20" || header.Get("X-Ratelimit-Reset-Requests") != "1m0s" || text != want {
		t.Errorf("%d %v %s", status, header, text)
	}
	s.limiter.Clock.Advance(20*time.Second - 1)
	if status, _, _ := s.call("carol", wholeCall); status != 429 {
		t.Error("admitted too early:", status)
	}
	s.limiter.Clock.Advance(1)
	if status, _, _ := s.call("carol", wholeCall); status != 200 {
		t.Error("denied too long:", status)
	}
}

// The keys of a tenant share its limits, and a client learns nothing of them but the wait.
func TestTenant(t *testing.T) {
	s := start(t, nil)
	for n, name := range []string{"alice", "alice", "alice", "bob", "bob", "bob"} {
		status, _, text := s.call(name, wholeCall)
		if n < 5 && status != 200 || n == 5 && (status != 429 || strings.Contains(text, "acme")) {
			t.Errorf("call %d: %d %s", n, status, text)
		}
	}
	if status, _, _ := s.call("carol", wholeCall); status != 200 {
		t.Error("a key without a tenant is denied:", status)
	}
}

// A stream takes its prompt and what it has brought; if the upstream API tells what it bills, that counts.
func TestStream(t *testing.T) {
	s := start(t, nil)
	status, _, text := s.call("alice", streamCall)
	if status != 200 || strings.Count(text, "12345678") != 3 || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Errorf("%d %q", status, text)
	}
	s.limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{"rpm": 1, "tpm": promptSize + 3*2})
	s.upstream.usage = &usage{11, 5}
	if _, _, text := s.call("carol", streamCall); strings.Contains(text, "usage") {
		t.Errorf("the client gets what it has not asked for: %q", text)
	}
	s.limiter.AssertCharged("key-of-carol", "gpt-4", engine.Tokens{"rpm": 1, "tpm": 16})
	asks := strings.Replace(streamCall, "{", `{"stream_options":{"include_usage":true},`, 1)
	if _, _, text := s.call("carol", asks); !strings.Contains(text, `"completion_tokens":5`) {
		t.Errorf("the client does not get what it has asked for: %q", text)
	}
}

// The space behind "data:" may be missing, as the format of streams says.
func TestStreamWithoutSpaces(t *testing.T) {
	pieces := 0
	err := passEvents(httptest.NewRecorder(), strings.NewReader(`data:{"choices":[{"delta":{"content":"12345678"}}]}`+"\n\n"),
		func(e *event) (bool, error) { pieces++; return true, nil })
	if err != nil || pieces != 1 {
		t.Errorf("%d pieces, %v", pieces, err)
	}
}

// Calls of tools are output, too.
func TestStreamOfToolCalls(t *testing.T) {
	for calls, want := range map[string]int64{`[{"index":0,"function":{"name":"f","arguments":"1234567"}}]`: 2, `[]`: 0, `null`: 0} {
		var e event
		err := json.Unmarshal([]byte(`{"choices":[{"delta":{"content":null,"tool_calls":`+calls+`}}]}`), &e)
		if n := e.tokens(); err != nil || n != want {
			t.Errorf("%s: %d tokens, %v", calls, n, err)
		}
	}
}

// If the connection to the upstream API breaks, the last event says that the answer is not complete.
func TestStreamBreaks(t *testing.T) {
	w := httptest.NewRecorder()
	broken := iotest.ErrReader(io.ErrUnexpectedEOF)
	err := passEvents(w, io.MultiReader(strings.NewReader("data: {}\n\n"), broken), func(*event) (bool, error) { return true, nil })
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(w.Body.String(), `"type":"server_error"`) {
		t.Errorf("%v, %q", err, w.Body)
	}
}

// If the client goes away, the upstream API stops, and what was used until then is charged.
func TestClientGoes(t *testing.T) {
	s := start(t, nil)
	s.upstream.pauseAfter(2)
	ctx, leave := context.WithCancel(t.Context())
	if n := readPieces(bufio.NewScanner(send(ctx, t, s.URL, "alice", streamCall).body), 2); n != 2 {
		t.Fatal(n)
	}
	leave()
	<-s.upstream.gone
	s.Close() // waits for the handler
	for _, entity := range []string{"key-of-alice", "acme"} {
		s.limiter.AssertCharged(entity, "gpt-4", engine.Tokens{"rpm": 1, "tpm": promptSize + 2*2})
	}
}

// A stream is cut at the limit. The last event says why.
func TestStreamIsCut(t *testing.T) {
	s := start(t, nil)
	s.upstream.pieces = 10_000
	_, _, text := s.call("alice", streamCall)
	if pieces := strings.Count(text, "12345678"); pieces != 750 || !strings.Contains(text, `"type":"tokens"`) || strings.Contains(text, "DONE") {
		t.Errorf("%d pieces, and at the end %q", pieces, text[max(0, len(text)-300):])
	}
	s.limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{"rpm": 1, "tpm": promptSize + 751*2}) // the last piece is not passed on
}

// What the upstream API rejects takes a request and no tokens. If it does not answer, it may bill the prompt.
func TestUpstreamFails(t *testing.T) {
	s := start(t, nil)
	s.upstream.status = http.StatusTooManyRequests
	for _, body := range []string{wholeCall, streamCall} {
		if status, header, _ := s.call("alice", body); status != 429 || header.Get("Retry-After") != "" {
			t.Error(status, header)
		}
	}
	s.limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{"rpm": 2})
	s.upstream.Close()
	if status, _, text := s.call("alice", wholeCall); status != 502 || !strings.Contains(text, "does not answer") {
		t.Error(status, text)
	}
	s.limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{"rpm": 3, "tpm": promptSize})
}

// If the store is down, the policy decides.
func TestOutage(t *testing.T) {
	for policy, want := range map[engine.Policy]int{engine.PolicyAllow: 200, engine.PolicyBlock: 503} {
		s := start(t, &engine.Options{OnUnavailable: policy, Logger: slog.New(slog.DiscardHandler)})
		s.limiter.Down()
		for _, body := range []string{wholeCall, streamCall} {
			if status, _, text := s.call("alice", body); status != want || strings.Contains(text, "error") != (want == 503) {
				t.Errorf("policy %v: %d %s", policy, status, text)
			}
		}
		s.limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{})
	}
}

// Under the policy Local a process admits its share: here one of the three requests of a key.
func TestOutageLocal(t *testing.T) {
	s := start(t, &engine.Options{OnUnavailable: engine.PolicyLocal, LocalShare: 1. / 3, Logger: slog.New(slog.DiscardHandler)})
	s.upstream.usage = &usage{1, 1}
	if status, _, text := s.call("carol", wholeCall); status != 200 { // the limits are known from now on
		t.Fatal(status, text)
	}
	s.limiter.Down()
	for _, want := range []int{200, 429} {
		if status, header, text := s.call("carol", wholeCall); status != want || header.Get("X-Ratelimit-Limit-Requests") != "1" {
			t.Errorf("%d %v %s", status, header, text)
		}
	}
}

// What is wrong with a request costs nothing.
func TestBadRequests(t *testing.T) {
	s := start(t, nil)
	for body, want := range map[string]string{
		`{`:                                 "unexpected end",
		`{"model":7}`:                       "cannot unmarshal",
		`{}`:                                "no model",
		`{"model":"gpt-4","max_tokens":-1}`: "max_tokens",
		`{"model":"gpt-4","max_completion_tokens":1000001}`: "max_tokens",
		`{"model":"` + strings.Repeat("x", maxBody) + `"}`:  "too large",
	} {
		if status, _, text := s.call("alice", body); status != 400 || !strings.Contains(text, want) || !strings.Contains(text, "invalid_request_error") {
			t.Errorf("%.60s: %d %s", body, status, text)
		}
	}
	if status, _, text := s.call("mallory", wholeCall); status != 401 || !strings.Contains(text, "unknown") {
		t.Error(status, text)
	}
	s.limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{})
}

// The gateway reads a request as the upstream API does: it limits the model that answers, and charges a whole answer that is no stream.
func TestNamesInOtherCases(t *testing.T) {
	s := start(t, nil)
	s.upstream.usage = &usage{10, 20}
	for i, other := range []string{`"Model":"cheap"`, `"Stream":true`, `"STREAM":true`} {
		status, _, text := s.call("carol", strings.TrimSuffix(wholeCall, "}")+","+other+"}")
		if n := int64(i + 1); status != 200 || s.limiter.Charged("key-of-carol", "gpt-4")["tpm"] != n*30 {
			t.Errorf("%s: %d %s", other, status, text)
		}
	}
	long := `{"content":"` + strings.Repeat("x", 4_000) + `","Content":"x"}` // a thousand tokens
	if status, _, text := s.call("alice", `{"model":"gpt-4","messages":[`+long+`,`+long+`]}`); status != 429 {
		t.Error(status, text)
	}
}

// A model that has no limits is not served, and clients do not try it again as they do after a fault of the server.
func TestUnknownModel(t *testing.T) {
	s := start(t, nil)
	if status, _, text := s.call("alice", strings.Replace(wholeCall, "gpt-4", "gpt-5", 1)); status != 404 || !strings.Contains(text, "model is unknown") {
		t.Error(status, text)
	}
	s.limiter.AssertCharged("key-of-alice", "gpt-5", engine.Tokens{})
}

// The file of keys has an id and a hash for each key.
func TestKeys(t *testing.T) {
	hash := strings.Repeat("0", 64)
	for _, text := range []string{`[{"id":"a"}]`, `[{"sha256":"` + hash + `"}]`, `[{"id":"a","sha256":"` + hash + `"},{"id":"b","sha256":"` + hash + `"}]`, `{`} {
		file := t.TempDir() + "/keys.json"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readKeys(file); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// What everybody needs who limits such a service fits on 40 lines.
func TestGlue(t *testing.T) {
	text, err := os.ReadFile("limits.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "\n)\n") // the imports
	lines := 0
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	if lines < 10 || lines > 40 {
		t.Errorf("limits.go has %d lines", lines)
	}
}
