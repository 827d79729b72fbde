package httplimit_test

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// pipes is a listener whose connections are in memory, so that they can be in a bubble.
type pipes struct {
	conns  chan net.Conn
	closed context.Context
	close  func()
}

func newPipes() *pipes {
	closed, end := context.WithCancel(context.Background())
	return &pipes{make(chan net.Conn), closed, end}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

// served is a server that Serve serves in a bubble.
type served struct {
	t       *testing.T
	limiter *limitertest.Limiter
	stop    func() // what a signal does
	ended   chan error
	status  chan int // of the request; 0: the connection ended
}

// serving serves a handler and sends one request to it.
func serving(t *testing.T, drain time.Duration, server *http.Server, handler http.HandlerFunc) *served {
	s := &served{t: t, limiter: limitertest.New(t, nil), ended: make(chan error, 1), status: make(chan int, 1)}
	server.Handler = httplimit.New(s.limiter.Limiter, &httplimit.Options{
		Key:      func(*http.Request) string { return "key" },
		Resource: func(*http.Request) string { return "api" },
		Cost:     func(*http.Request) (engine.Tokens, error) { return engine.Tokens{"tpm": 100}, nil },
		Limits:   []engine.Limit{engine.PerMinute("tpm", 1000)},
	})(handler)
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	listener := newPipes()
	go func() {
		s.ended <- httplimit.Serve(ctx, server, func() error { return server.Serve(listener) }, drain)
	}()
	go func() {
		client := &http.Client{Transport: &http.Transport{DialContext: listener.dial, DisableKeepAlives: true}}
		response, err := client.Get("http://server.test/")
		if err != nil {
			s.status <- 0
			return
		}
		_ = response.Body.Close()
		s.status <- response.StatusCode
	}()
	synctest.Wait()
	return s
}

// want compares the answer to the request, what it was charged, and what Serve returns, and when.
func (s *served) want(status int, charged int64, after time.Duration, valid func(error) bool) {
	s.t.Helper()
	began := time.Now()
	s.stop()
	if err := <-s.ended; !valid(err) || time.Since(began) < after || time.Since(began) > after+time.Second {
		s.t.Errorf("Serve returns %v after %v, not after %v", err, time.Since(began), after)
	}
	if got := <-s.status; got != status {
		s.t.Errorf("status %d, not %d", got, status)
	}
	s.limiter.AssertCharged("key", "api", engine.Tokens{"tpm": charged})
}

func none(err error) bool { return err == nil }

// TestServe: requests that run have time to end, then they are cut, then they are left behind; and serve may fail.
func TestServe(t *testing.T) {
	settle := func(r *http.Request, used int64) {
		if err := httplimit.Lease(r.Context()).Adjust(engine.Tokens{"tpm": used - 100}); err != nil {
			t.Error(err)
		}
	}
	for name, tell := range map[string]func(t *testing.T){
		"Drained": func(t *testing.T) {
			serving(t, 20*time.Second, new(http.Server), func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(10 * time.Second):
				case <-r.Context().Done():
					t.Error("a request that drains is cut")
				}
				settle(r, 60)
			}).want(http.StatusOK, 60, 10*time.Second, none)
		},
		"Cut": func(t *testing.T) {
			serving(t, 20*time.Second, new(http.Server), func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				settle(r, 70)
			}).want(http.StatusOK, 70, 20*time.Second, none)
		},
		"ToldOnce": func(t *testing.T) {
			server, told := new(http.Server), atomic.Int64{}
			server.RegisterOnShutdown(func() { told.Add(1) })
			serving(t, time.Second, server, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }).want(http.StatusOK, 100, time.Second, none)
			if n := told.Load(); n != 1 {
				t.Errorf("what is registered for the shutdown is called %d times", n)
			}
		},
		"Patient": func(t *testing.T) {
			serving(t, math.MaxInt64, new(http.Server), func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(time.Hour):
				case <-r.Context().Done():
					t.Error("a request that may take for ever is cut")
				}
			}).want(http.StatusOK, 100, time.Hour, none)
		},
		"OwnContext": func(t *testing.T) {
			type key struct{}
			server := &http.Server{BaseContext: func(net.Listener) context.Context { return context.WithValue(context.Background(), key{}, true) }}
			serving(t, 0, server, func(_ http.ResponseWriter, r *http.Request) {
				if r.Context().Value(key{}) == nil {
					t.Error("the server's own context is gone")
				}
				<-r.Context().Done()
				settle(r, 80)
			}).want(http.StatusOK, 80, 0, none)
		},
		"TooLate": func(t *testing.T) { // the deadline of the program has passed
			serving(t, -time.Hour, new(http.Server), func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				select {
				case <-time.After(time.Second):
				case <-t.Context().Done():
				}
				settle(r, 80)
			}).want(http.StatusOK, 80, time.Second, none)
		},
		"Left": func(t *testing.T) {
			release := make(chan struct{})
			s := serving(t, time.Second, new(http.Server), func(http.ResponseWriter, *http.Request) { <-release })
			s.want(0, 100, 6*time.Second, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) })
			close(release)
		},
		"Fails": func(t *testing.T) {
			busy := errors.New("the port is in use")
			if err := httplimit.Serve(t.Context(), new(http.Server), func() error { return busy }, time.Hour); !errors.Is(err, busy) {
				t.Error(err)
			}
		},
		"ShutDownByTheCaller": func(t *testing.T) {
			server := new(http.Server)
			serve := func() error {
				_ = server.Close()
				return server.Serve(newPipes())
			}
			if err := httplimit.Serve(t.Context(), server, serve, time.Hour); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, tell) })
	}
}
