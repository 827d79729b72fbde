package dynamo_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	. "github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// distant is a DynamoDB whose clock is ahead of this machine's: it rejects signatures of another time as DynamoDB does, before
// it looks at the request, and says what time it is.
type distant struct {
	ahead    atomic.Int64 // ns
	code     string       // of the error
	dateless bool         // no reply says what time it is
	rejected atomic.Int64
	proxy    *httputil.ReverseProxy
}

const validFor = 5 * time.Minute

func (d *distant) now() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())).UTC() }

// ServeHTTP implements [http.Handler].
func (d *distant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const form = "20060102T150405Z"
	now := d.now()
	signed, err := time.Parse(form, r.Header.Get("X-Amz-Date"))
	w.Header()["Date"] = nil // which the server would set
	if !d.dateless {
		w.Header().Set("Date", now.Format(http.TimeFormat))
	}
	if err == nil && now.Sub(signed).Abs() <= validFor {
		d.proxy.ServeHTTP(w, r)
		return
	}
	d.rejected.Add(1)
	says := fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)", signed.Format(form), now.Add(-validFor).Format(form), now.Format(form))
	if signed.After(now) {
		says = fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", signed.Format(form), now.Add(validFor).Format(form), now.Format(form))
	}
	body, _ := json.Marshal(map[string]string{"__type": "com.amazon.coral.service#" + d.code, "message": says})
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body)
}

// mustBeDistant puts such a clock before the emulator.
func mustBeDistant(t *testing.T, o *dynamo.Options, ahead time.Duration, code string) (*distant, *dynamo.Options) {
	t.Helper()
	upstream, err := url.Parse(o.Endpoint)
	if o.Endpoint == "" {
		upstream, err = url.Parse(*o.Config.BaseEndpoint)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &distant{code: code}
	d.ahead.Store(int64(ahead))
	d.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		ModifyResponse: func(r *http.Response) error { r.Header.Del("Date"); return nil },
	}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	changed, config := *o, o.Config.Copy()
	config.BaseEndpoint = &server.URL
	changed.Config, changed.Endpoint = &config, server.URL
	return d, &changed
}

// TestClockIsOff: a write that is rejected for its signature's time is sent once more with the time in the reply, and takes
// effect once; the writes after it are signed right at once, until the clocks are set.
func TestClockIsOff(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	for i, code := range []string{"InvalidSignatureException", "RequestTimeTooSkewed"} {
		for j, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
			d, through := mustBeDistant(t, o, ahead, code)
			s := mustOpen(t, name, through)
			sort := fmt.Sprint("k", i, j)
			step := func(what string, most int64, f func() error) {
				t.Helper()
				d.rejected.Store(0)
				if err := f(); err != nil {
					t.Errorf("%s, ahead by %v: %s: %v", code, ahead, what, err)
				}
				if n := d.rejected.Load(); n > most {
					t.Errorf("%s, ahead by %v: %s: %d requests were rejected, at most %d should be", code, ahead, what, n, most)
				}
			}
			apply := func() error { return s.Apply(t.Context(), add(sort), make([]backend.Outcome, 1)) }
			commit := func() error { return s.Commit(t.Context(), [16]byte([]byte(rand.Text())), add(sort)) }
			step("the first write", 1, apply)
			step("the second write", 0, apply)
			step("a commit", 0, commit)
			d.ahead.Store(0)
			step("the first write when the clocks agree", 1, apply)
			d.ahead.Store(int64(-ahead))
			step("a commit when the clock is off the other way", 1, commit)
			step("a write after it", 0, apply)
			r := make([]backend.Record, 1)
			r[0].Reset(layout)
			if err := s.Read(t.Context(), []backend.Key{add(sort)[0].Key}, r); err != nil || r[0].Int64(slotN) != 6 {
				t.Errorf("%s: six writes added %d, %v", code, r[0].Int64(slotN), err)
			}
		}
	}
}

// TestClockIsOffForTheLimiter: the first acquire of a process whose clock is off is admitted, and the operator is told.
func TestClockIsOffForTheLimiter(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	_, through := mustBeDistant(t, o, 10*time.Minute, "InvalidSignatureException")
	told := make(chan time.Duration, 10)
	l, err := engine.New(mustOpen(t, name, through), &engine.Options{Observer: apart(told)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = l.Acquire(t.Context(), engine.Request{
		Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{engine.PerMinute("rpm", 10)},
	})
	if err != nil {
		t.Errorf("the first acquire: %v", err)
	}
	select {
	case ahead := <-told:
		if (ahead - 10*time.Minute).Abs() > 3*time.Second {
			t.Errorf("the operator is told that the store's clock is ahead by %v", ahead)
		}
	default:
		t.Error("the operator is not told that the store's clock is another")
	}
}

// apart is told of clocks.
type apart chan time.Duration

// Observe implements [engine.Observer].
func (a apart) Observe(e engine.Event) {
	if e.Kind == engine.EventStoreClock {
		a <- e.Ahead
	}
}

// TestClockIsOffForGood: where the replies do not say what time it is, nothing can be learned. The write is sent once, and its
// error names the cure.
func TestClockIsOffForGood(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	d, through := mustBeDistant(t, o, 0, "InvalidSignatureException")
	s := mustOpen(t, name, through)
	d.ahead.Store(int64(10 * time.Minute))
	d.dateless = true
	err := s.Apply(t.Context(), add("k"), make([]backend.Outcome, 1))
	if d.rejected.Load() != 1 || err == nil || !strings.Contains(err.Error(), "set this machine's clock") {
		t.Errorf("after %d requests: %v", d.rejected.Load(), err)
	}
}
