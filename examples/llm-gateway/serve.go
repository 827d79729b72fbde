package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	headerTime = 10 * time.Second // for the head of a request
	settleTime = 5 * time.Second  // for streams that were cut: what they have used is charged
)

// serve serves until ctx ends, and then shuts down in order: no more requests, the end of those that run, the limiter, the store.
func serve(ctx context.Context, c *config, api, admin net.Listener, log *slog.Logger) error {
	keys, err := readKeys(c.Keys)
	if err != nil {
		return err
	}
	if err := c.createTable(ctx); err != nil {
		return err
	}
	l, err := openLimits(ctx, c)
	if err != nil {
		return err
	}
	g := &gateway{keys: keys, upstream: c.Upstream, upstreamKey: c.UpstreamKey, client: &http.Client{}, log: log}
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler: g.handler(limited(l.limiter)), ReadHeaderTimeout: headerTime,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	var draining atomic.Bool
	side := &http.Server{Handler: adminHandler(l.metrics, &draining), ReadHeaderTimeout: headerTime}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(api) }()
	go func() { failed <- side.Serve(admin) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
		log.Info("llm-gateway: shutting down", "drain", c.Drain)
	}
	draining.Store(true)
	return errors.Join(err, drain(server, c.Drain, cut), l.Close(), side.Close())
}

// drain waits for the requests that run. Those that take longer than most get the end of their contexts, and a moment to settle.
func drain(server *http.Server, most time.Duration, cut func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if server.Shutdown(ctx) == nil {
		return nil
	}
	cut()
	ctx, cancel = context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), server.Close())
}

// adminHandler serves what is not for clients. A gateway that drains is not ready, so that its load balancer sends it no more.
func adminHandler(metrics http.Handler, draining *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if draining.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}
