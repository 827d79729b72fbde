package backend

import "context"

// Meter counts what the calls made under its context have cost. A store that knows prices adds to it before the call
// returns; others leave it alone. One call at a time.
type Meter struct {
	Requests int     // sent to the store
	Units    float64 // of write or read capacity, as the store bills them
}

type meterKey struct{}

// WithMeter returns a context under which stores report to m.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// MeterOf finds the context's meter, nil where there is none.
func MeterOf(ctx context.Context) *Meter {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}
