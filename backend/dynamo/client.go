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
	connections = 512             // idle ones kept: as many as callers that are expected to be at it together
	dialing     = 2 * time.Second // at most; a caller's deadline may be earlier
)

// Its length is looked at apart: {3,255} costs half a millisecond of every program's start.
var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.\-]+\z`)

// CheckName reports a name that no table can have, by a [backend.ErrInvalid], as Open does. It talks to nobody, and is safe for
// concurrent use.
func CheckName(name string) error {
	if len(name) < 3 || len(name) > 255 || !tableName.MatchString(name) {
		return fmt.Errorf("%w: dynamo: %q is no name of a table; 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'", backend.ErrInvalid, name)
	}
	return nil
}

// connect makes a store without looking at the table. It talks to nobody.
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

// clientOptions are those of the SDK's client, made of whatever the caller gave.
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
		return options, fmt.Errorf("%w: dynamo: no AWS region is set; set Options.Region, --region or AWS_REGION", backend.ErrRejected)
	}
	return options, nil
}

// atEndpoint is for endpoints that are not the region's own. One on this machine is an emulator, which wants some
// region and some credentials, and does not care which.
func atEndpoint(options *dynamodb.Options, o *Options) error {
	u, err := url.Parse(*options.BaseEndpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%w: dynamo: endpoint %q is no URL; write http://localhost:8000", backend.ErrInvalid, *options.BaseEndpoint)
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

func pooled() *awshttp.BuildableClient { return pool(awshttp.NewBuildableClient()) }

func pool(c *awshttp.BuildableClient) *awshttp.BuildableClient {
	return c.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
	}).WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialing })
}
