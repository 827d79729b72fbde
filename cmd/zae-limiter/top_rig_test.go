package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/engine"
)

// screen records what a live view draws, in virtual time.
type screen struct {
	lock          sync.Mutex
	drawn         bytes.Buffer
	width, height int
	raw           int
}

// Write draws.
func (s *screen) Write(p []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.drawn.Write(p)
}

// frame returns the last frame.
func (s *screen) frame() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	all := strings.Split(s.drawn.String(), frameStart)
	return all[len(all)-1]
}

// live runs f next to a live view on a new store, and returns the view's exit code.
func live(t *testing.T, args string, f func(s *screen, keys io.Writer, shell *shell)) (code int, drawn *screen) {
	synctest.Test(t, func(t *testing.T) {
		sh := newShell(t)
		sh.must("system set-defaults -l rpm:6:10")
		drawn = &screen{width: 80, height: 24}
		keys, press := io.Pipe()
		defer press.Close()
		sh.virtual = true
		w := sh.world()
		sh.virtual = false
		w.In, w.Out = keys, drawn
		w.Terminal = func(any) bool { return true }
		w.Size = func(any) (int, int) { drawn.lock.Lock(); defer drawn.lock.Unlock(); return drawn.width, drawn.height }
		w.Raw = func(any) (func(), error) { drawn.raw++; return func() { drawn.raw-- }, nil }
		sh.env["TERM"] = "xterm"
		ended := make(chan int)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { ended <- run(ctx, fields("top "+args), w) }()
		synctest.Wait()
		f(drawn, press, sh)
		select {
		case code = <-ended:
		case <-time.After(time.Hour):
			t.Fatal("the view goes on")
		}
	})
	return code, drawn
}

// pass advances virtual time.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

// occupy locks a file as another process would, until the lock is released.
func occupy(t *testing.T, file string) (release func()) {
	t.Helper()
	other, err := bolt.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() { other.Close() }
}

func mustLimit(t *testing.T, text string) engine.Limit {
	t.Helper()
	l, err := engine.ParseLimit(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
