package dynamo

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Options say where the table is; nil is fine.
type Options struct {
	Region   string           // default: that of Config, else of the environment and the user's AWS configuration
	Endpoint string           // a URL, for DynamoDB Local and private endpoints. Default: the region's own
	Config   *aws.Config      // credentials, HTTP client and the rest. Default: the environment and the user's AWS configuration
	Client   *dynamodb.Client // whose options are taken over but for retries; beats all of the above
}

// Store is a [backend.Backend] over one DynamoDB table. It is safe for concurrent use.
type Store struct {
	table       string
	api         api
	expressions expressions
	feed        feed
	ahead       atomic.Int64 // of this machine's clock, ns
	closed      atomic.Bool
	unchecked   atomic.Bool // whether the table's schema is still to be looked at
}

var _ backend.Backend = (*Store)(nil)

// Open connects to the table that a deployment of this name has made. It creates nothing. [ErrNotDeployed] reports
// that there is no such table, or one of something else; [backend.ErrRejected] a schema of another version, or
// credentials that do not do. A DynamoDB that cannot be reached now is no failure: the first read looks at the schema.
func Open(ctx context.Context, name string, o *Options) (*Store, error) {
	s, err := connect(ctx, name, o)
	if err != nil {
		return nil, err
	}
	s.unchecked.Store(true)
	if err := s.check(ctx); err != nil && (ctx.Err() != nil || !errors.Is(err, backend.ErrUnavailable)) {
		return nil, err
	}
	return s, nil
}

// Capabilities implements [backend.Backend]. Calls end with their context, because the SDK and the HTTP client under it
// look at it at every step. The store knows Feed, Scan and ClockAhead. DynamoDB drops expired records by itself, and does
// not know the greater of two numbers.
func (s *Store) Capabilities() backend.Capabilities {
	return backend.Capabilities{HonorsContext: true, Feed: s.Feed, Scan: s.Scan, ClockAhead: s.clockAhead}
}

// Close implements [backend.Backend]. Calls on their way end as they would have.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		s.api.closeIdle()
	}
	return nil
}

// begin is what every call does first.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return backend.ErrClosed
	}
	return nil
}
