package otellimit

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Trace returns a store that records a span for each call of store, to provider, or to the global TracerProvider if provider is nil.
// Give it to engine.New instead of store:
//
//	limiter, err := engine.New(otellimit.Trace(store, nil), &engine.Options{Observer: observer})
//
// A span is a child of the span in the caller's context. Calls without one, such as those in the background, have no spans; so a
// write that callers share has none if it is made in the background. Closing the store closes the one inside. Safe for concurrent use.
func Trace(store backend.Backend, provider trace.TracerProvider) backend.Backend {
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	tracer, caps := provider.Tracer(scope), store.Capabilities()
	return backend.Wrap(store, &backend.WrapOptions{
		NoIO: caps.NoIO, HonorsContext: caps.HonorsContext,
		Around: func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
			if !trace.SpanContextFromContext(ctx).IsValid() {
				return next(ctx)
			}
			call := strings.ToLower(c.Method)
			ctx, span := tracer.Start(ctx, "zae_limiter.store."+call, trace.WithAttributes(
				attribute.String("zae_limiter.call", call), attribute.Int("zae_limiter.records", max(len(c.Keys), len(c.Writes)))))
			defer span.End()
			err := next(ctx)
			if err != nil {
				kind := errorType(err)
				span.SetAttributes(attribute.String("error.type", kind))
				span.SetStatus(codes.Error, kind) // the text of an error may have the id of an entity
			}
			return err
		},
	})
}
