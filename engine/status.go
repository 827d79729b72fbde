package engine

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Status is the state of the limiter's store.
type Status struct {
	Reachable bool
	Latency   time.Duration // of one read by the limiter's clock, failed tries included
	Schema    string        // version of the store's schema, or of this library's if the store has none
	Namespace string        // the limiter's
	Records   int64         // -1: no store counts its records. A deployment has those that DynamoDB states: stack.Info
}

// Status reads the store once and writes nothing. If the store cannot be reached, Reachable is false and the error is nil,
// because a status is asked for when something is broken; [Limiter.Ping] reports the error.
func (l *Limiter) Status(ctx context.Context) (Status, error) {
	s := Status{Schema: strconv.Itoa(schema.CurrentVersion), Namespace: l.opts.Namespace, Records: -1}
	start := l.clock.now()
	r, err := l.store.ReadOne(ctx, schema.Version())
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

// Ping reads the store once and writes nothing. It returns ErrUnavailable if the store cannot be reached.
func (l *Limiter) Ping(ctx context.Context) error {
	_, err := l.store.ReadOne(ctx, schema.Version())
	return err
}
