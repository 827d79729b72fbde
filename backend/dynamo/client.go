package dynamo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

const (
	connections = 512             // idle connections kept: as many as callers are expected at once
	dialing     = 2 * time.Second // at most; a caller's deadline may be earlier
)

// The length is checked separately, because {3,255} costs half a millisecond at every program's start.
var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.\-]+\z`)

// CheckName returns an error that is [backend.ErrInvalid] if no table can have the name, as Open does. It does no I/O. Safe for
// concurrent use.
func CheckName(name string) error {
	if len(name) < 3 || len(name) > 255 || !tableName.MatchString(name) {
		return fmt.Errorf("%w: dynamo: %q is not a name of a table: use 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'", backend.ErrInvalid, name)
	}
	return nil
}

// connect returns a store without reading the table. It does no I/O, except to load the user's AWS configuration.
func connect(ctx context.Context, name string, o *Options) (*Store, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if o == nil {
		o = &Options{}
	}
	base, err := clientOptions(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Store{table: name, api: newAPI(base)}, nil
}

// clientOptions returns the options of the SDK's client.
func clientOptions(ctx context.Context, o *Options) (dynamodb.Options, error) {
	if o.Client != nil {
		options := o.Client.Options()
		options.Credentials = awsconfig.Explained(options.Credentials, nil)
		return options, nil
	}
	var base aws.Config
	if o.Config != nil {
		base = o.Config.Copy()
		base.Credentials = awsconfig.Explained(base.Credentials, &base)
	} else {
		loaded, err := awsconfig.Load(ctx, o.Region)
		if err != nil {
			return dynamodb.Options{}, fmt.Errorf("%w: dynamo: %w", backend.ErrRejected, err)
		}
		base = loaded
	}
	if o.Region != "" {
		base.Region = o.Region
	}
	if base.HTTPClient == nil {
		base.HTTPClient = pooled()
	} else if standard, ok := base.HTTPClient.(*awshttp.BuildableClient); ok && o.Config == nil {
		base.HTTPClient = pool(standard)
	}
	options := dynamodb.NewFromConfig(base, func(d *dynamodb.Options) {
		if o.Endpoint != "" {
			d.BaseEndpoint = aws.String(o.Endpoint)
		}
	}).Options()
	if options.BaseEndpoint != nil {
		if err := atEndpoint(&options, o); err != nil {
			return options, err
		}
	}
	if options.Region == "" {
		return options, fmt.Errorf("%w: dynamo: no AWS region is set: set Options.Region, --region or AWS_REGION", backend.ErrRejected)
	}
	return options, nil
}

// atEndpoint sets the options for an endpoint that is not the region's own. One on this machine is an emulator, which needs a
// region and credentials, whatever they are.
func atEndpoint(options *dynamodb.Options, o *Options) error {
	u, err := url.Parse(*options.BaseEndpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%w: dynamo: invalid endpoint %q: use a URL, for example http://localhost:8000", backend.ErrInvalid, *options.BaseEndpoint)
	}
	options.AccountIDEndpointMode = aws.AccountIDEndpointModeDisabled
	if !awsconfig.Local(*options.BaseEndpoint) {
		return nil
	}
	if options.Region == "" {
		options.Region = "us-east-1"
	}
	if o.Config == nil {
		options.Credentials = awsconfig.ForEmulator(options.Credentials)
	}
	return nil
}

// ownClient is an HTTP client that no other store uses. The SDK's own client could not be made to close its connections,
// because it hands out only copies of its transport.
type ownClient struct{ http.Client }

func pooled() *ownClient { return pool(awshttp.NewBuildableClient()) }

// pool returns a client with the settings of c. DynamoDB redirects nobody, so that it follows no redirect.
func pool(c *awshttp.BuildableClient) *ownClient {
	c = c.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
	}).WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialing })
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &ownClient{http.Client{Transport: c.GetTransport(), Timeout: c.GetTimeout(), CheckRedirect: stay}}
}
