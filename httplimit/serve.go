package httplimit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// settleTime is what handlers have whose requests were cut: they settle what they have used.
const settleTime = 5 * time.Second

// Serve calls serve, such as server.ListenAndServe, and shuts the server down when ctx ends, or when serve returns. It stops
// accepting requests and waits up to drain for those that run. Then it ends the contexts of those that are left, and
// waits five seconds for their handlers, which settle their leases. So after Serve the limiter can be closed, and then its store:
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := httplimit.Serve(ctx, server, server.ListenAndServe, 20*time.Second)
//	return errors.Join(err, limiter.Close(), store.Close())
//
// The contexts of requests do not end with ctx. Serve wraps server.BaseContext for that; the server must not serve yet. It returns the
// error of serve, unless that is http.ErrServerClosed, and an error if handlers still run. It does not wait for connections
// that were hijacked, but their contexts have ended when it returns.
func Serve(ctx context.Context, server *http.Server, serve func() error, drain time.Duration) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	base := server.BaseContext
	server.BaseContext = func(listener net.Listener) context.Context {
		if base == nil {
			return requests
		}
		own, end := context.WithCancel(base(listener))
		context.AfterFunc(requests, end)
		return own
	}
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, shutDown(server, drain, cut))
}

// shutDown calls Shutdown once, because each call calls what the program has registered for the shutdown.
func shutDown(server *http.Server, drain time.Duration, cut func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), min(max(drain, 0), noCap-settleTime)+settleTime)
	defer cancel()
	defer time.AfterFunc(drain, cut).Stop()
	err := server.Shutdown(ctx)
	if err != nil && ctx.Err() != nil {
		_ = server.Close() // of the connections; it waits for nobody
		return fmt.Errorf("httplimit: handlers still run %v after their contexts have ended: %w", settleTime, err)
	}
	return err
}
