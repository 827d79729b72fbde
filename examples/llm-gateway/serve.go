package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/zeroae/zae-limiter-go/httplimit"
)

const headerTime = 10 * time.Second // for the head of a request

// serve serves until ctx ends, and then shuts down in order: no more requests, the end of those that run, the limiter, the store.
func serve(ctx context.Context, c *config, api, admin net.Listener, log *slog.Logger) error {
	keys, err := readKeys(c.Keys)
	if err != nil {
		return err
	}
	l, err := openLimits(ctx, c)
	if err != nil {
		return err
	}
	g := &gateway{keys: keys, upstream: c.Upstream, upstreamKey: c.UpstreamKey, client: &http.Client{}, log: log}
	server := &http.Server{Handler: g.handler(limited(l.limiter)), ReadHeaderTimeout: headerTime}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	side := &http.Server{Handler: adminHandler(ctx, l.metrics), ReadHeaderTimeout: headerTime}
	go func() {
		defer stop()
		if err := side.Serve(admin); !errors.Is(err, http.ErrServerClosed) {
			log.Error("llm-gateway: nobody can scrape any more", "error", err)
		}
	}()
	context.AfterFunc(ctx, func() { log.Info("llm-gateway: shutting down", "drain", c.Drain) })
	err = httplimit.Serve(ctx, server, func() error { return server.Serve(api) }, c.Drain)
	return errors.Join(err, l.Close(), side.Close())
}

// adminHandler serves what is not for clients. When ctx has ended the gateway is not ready, so that its load balancer sends it no more.
func adminHandler(ctx context.Context, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if ctx.Err() != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}
