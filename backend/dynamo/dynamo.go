package dynamo

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Options say how to reach the table. A nil *Options is valid.
type Options struct {
	// Region is the AWS region. Default: that of Config, or else of the environment and the user's AWS configuration.
	Region string

	// Endpoint is the URL of DynamoDB Local or of a private endpoint. Default: the endpoint of the region.
	Endpoint string

	// Config has credentials, HTTP client and other settings. Default: the environment and the user's AWS configuration.
	Config *aws.Config

	// Client is a client whose options are used, except for its retries, instead of all fields above. Default: none.
	Client *dynamodb.Client
}

// Store is a [backend.Backend] in one DynamoDB table. Safe for concurrent use.
type Store struct {
	table       string
	api         api
	expressions expressions
	feed        feed
	ahead       atomic.Int64 // how far DynamoDB's clock is ahead of this machine's, ns
	closed      atomic.Bool
	unchecked   atomic.Bool // whether the schema record is still to be read
}

var _ backend.Backend = (*Store)(nil)

// Open opens the table of a deployment, and creates nothing. It returns [ErrNotDeployed] if there is no such table, or if it
// is of something else, and [backend.ErrRejected] if its schema has another version, or if the credentials do not suffice.
// If DynamoDB cannot be reached, Open succeeds, and the first read checks the schema.
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

// Capabilities implements [backend.Backend]. The store honors contexts, because the SDK and its HTTP client check them at
// every step, and has Feed, Scan and ClockAhead. It needs no Sweep, because DynamoDB drops expired records by itself, and
// cannot have Max, because DynamoDB has no expression for the greater of two numbers.
func (s *Store) Capabilities() backend.Capabilities {
	return backend.Capabilities{HonorsContext: true, Feed: s.Feed, Scan: s.Scan, ClockAhead: s.clockAhead}
}

// Close implements [backend.Backend]. Calls that are under way end as they would have.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		s.api.closeIdle()
	}
	return nil
}

// begin is the first step of every call.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return backend.ErrClosed
	}
	return nil
}
