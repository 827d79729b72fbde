package engine

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Status is how the limiter's store does.
type Status struct {
	Reachable bool
	Latency   time.Duration // of one read, on the limiter's clock; tries that failed included
	Schema    string        // version of the store's schema; of this library's where the store tells none
	Namespace string        // the limiter's
	Records   int64         // -1: unknown
}

// Status reads the store once. A store that cannot be reached is no error. It writes nothing.
func (l *Limiter) Status(ctx context.Context) (Status, error) {
	s := Status{Schema: strconv.Itoa(schema.CurrentVersion), Namespace: l.opts.Namespace, Records: -1}
	start := l.clock.now()
	r, err := l.readOne(ctx, schema.Version())
	s.Latency = time.Duration(l.clock.now() - start)
	if errors.Is(err, ErrUnavailable) {
		return s, nil
	}
	if err != nil {
		return Status{}, err
	}
	s.Reachable = true
	if r.Present() {
		s.Schema = strconv.FormatInt(r.Int64(schema.VersionNumber), 10)
	}
	return s, nil
}

// Ping reads the store once and reports whether it answers: ErrUnavailable where it does not. It writes nothing.
func (l *Limiter) Ping(ctx context.Context) error {
	_, err := l.readOne(ctx, schema.Version())
	return err
}
