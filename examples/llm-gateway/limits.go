package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// limits are the limiter, its store and its metrics.
type limits struct {
	store   *dynamo.Store
	limiter *engine.Limiter
	metrics http.Handler // what Prometheus scrapes
}

func openLimits(ctx context.Context, c *config) (*limits, error) {
	store, err := dynamo.Open(ctx, c.Table, c.dynamo()) // if DynamoDB cannot be reached, the policy decides until it can
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	observer, err := otellimit.New(metric.NewMeterProvider(metric.WithReader(reader)), nil)
	if err != nil {
		return nil, err
	}
	limiter, err := engine.New(store, &engine.Options{
		OnUnavailable: c.OnUnavailable, LocalShare: c.LocalShare, Timeout: c.Timeout, Observer: observer,
	})
	return &limits{store, limiter, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}, err
}

// Close comes after the last request: the limiter first, because it still writes.
func (l *limits) Close() error { return errors.Join(l.limiter.Close(), l.store.Close()) }

// limited returns the middleware that admits calls.
func limited(limiter *engine.Limiter) func(http.Handler) http.Handler {
	return httplimit.New(limiter, &httplimit.Options{
		Key:          func(r *http.Request) string { return callOf(r).key.ID },
		Resource:     func(r *http.Request) string { return callOf(r).Model },
		Cost:         func(r *http.Request) (engine.Tokens, error) { return callOf(r).cost(), nil },
		Style:        httplimit.OpenAI,
		ErrorHandler: refuse,
	})
}
