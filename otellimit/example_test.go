package otellimit_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// A program gives the provider a reader that exports, such as OpenTelemetry's exporter for Prometheus.
func ExampleNew() {
	reader := metric.NewManualReader()
	observer, err := otellimit.New(metric.NewMeterProvider(metric.WithReader(reader)), nil)
	if err != nil {
		panic(err)
	}
	limiter, err := engine.New(memory.New(nil), &engine.Options{Observer: observer})
	if err != nil {
		panic(err)
	}
	defer func() { _ = limiter.Close() }()
	_, _ = limiter.Allow(context.Background(), engine.Request{
		Entity: "user-123", Resource: "api", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{engine.PerMinute("rpm", 60)},
	})

	var all metricdata.ResourceMetrics
	_ = reader.Collect(context.Background(), &all)
	for _, m := range all.ScopeMetrics[0].Metrics {
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			if p.Value > 0 { // others are there from the start
				fmt.Println(m.Name, p.Value)
			}
		}
	}
	// Output:
	// zae_limiter.decisions 1
	// zae_limiter.decision.attempts 1
	// zae_limiter.tokens 1
}
