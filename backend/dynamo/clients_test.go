package dynamo_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
)

// clients are independent stores on one table, as several processes have them. Each call goes to the next of them, so
// that what one has written another must see.
type clients struct {
	all  []*dynamo.Store
	next atomic.Uint64
}

var _ backend.Backend = (*clients)(nil)

func several(t testing.TB) backend.Backend {
	t.Helper()
	name, o := dynamotest.Table(t)
	return severalOn(t, name, o)
}

func severalOn(t testing.TB, name string, o *dynamo.Options) *clients {
	t.Helper()
	c := &clients{}
	for range 3 {
		c.all = append(c.all, mustOpen(t, name, o))
	}
	return c
}

func (c *clients) one() *dynamo.Store { return c.all[c.next.Add(1)%uint64(len(c.all))] }

// Read implements [backend.Backend].
func (c *clients) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	return c.one().Read(ctx, keys, out)
}

// Apply implements [backend.Backend].
func (c *clients) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	return c.one().Apply(ctx, writes, out)
}

// Commit implements [backend.Backend].
func (c *clients) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	return c.one().Commit(ctx, token, writes)
}

// List implements [backend.Backend].
func (c *clients) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	return c.one().List(ctx, q)
}

// Capabilities implements [backend.Backend].
func (c *clients) Capabilities() backend.Capabilities {
	return backend.Capabilities{HonorsContext: true, Scan: c.scan}
}

func (c *clients) scan(ctx context.Context, namespace, after string, size int) ([]backend.Key, string, error) {
	return c.one().Scan(ctx, namespace, after, size)
}

// Close implements [backend.Backend].
func (c *clients) Close() error {
	var errs error
	for _, s := range c.all {
		errs = errors.Join(errs, s.Close())
	}
	return errs
}
