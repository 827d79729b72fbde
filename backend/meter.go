package backend

import "context"

// Meter counts what the calls of its context cost. A store that knows its prices adds to it before a call returns; others
// leave it alone. A Meter serves one call at a time.
type Meter struct {
	Requests int     // sent to the store
	Units    float64 // of write or read capacity, as the store bills them
}

type meterKey struct{}

// WithMeter returns a context with a meter, to which stores report.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// MeterOf returns the context's meter, or nil if it has none.
func MeterOf(ctx context.Context) *Meter {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}
