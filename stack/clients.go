package stack

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// session is the state of one call of this package, for one stack. Keep it and its clients out of interfaces and of the arguments of
// generic functions: the linker would keep all methods of the clients, up to three of the nine megabytes of the function's zip.
type session struct {
	name    string
	o       Options // with defaults
	region  string
	stacks  *cloudformation.Client
	tables  *dynamodb.Client
	s3      *s3.Client
	sts     *sts.Client
	jitter  func() float64 // in [0, 1)
	version string         // of this program

	planning bool  // nothing will be executed, so the function's code is not needed
	noCode   error // why there is no code, if planning

	account, partition string  // see readAccount
	events             []Event // of the current operation, oldest first
	changes            []Change
}

// open creates the clients. It does not call AWS, except to sign in if necessary.
func open(ctx context.Context, name string, o *Options) (*session, error) {
	s := &session{name: name, jitter: rand.Float64, version: Version()}
	if o != nil {
		s.o = *o
	}
	s.o.setDefaults()
	c, err := s.o.config(ctx)
	if err != nil {
		return nil, err
	}
	s.region = c.Region
	setTransport(&c)
	s.stacks, s.sts = cloudformation.NewFromConfig(c), sts.NewFromConfig(c)
	s.tables = dynamodb.NewFromConfig(c, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum = true // emulators send no checksum, and the SDK would warn about each response
		if o.BaseEndpoint != nil {
			o.AccountIDEndpointMode = aws.AccountIDEndpointModeDisabled
		}
	})
	s.s3 = s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // emulators have no host per bucket
	})
	return s, nil
}

// config returns the SDK's configuration for these options.
func (o *Options) config(ctx context.Context) (aws.Config, error) {
	var c aws.Config
	if o.Config != nil {
		c = o.Config.Copy()
		c.Credentials = awsconfig.Explained(c.Credentials, &c)
	} else {
		loaded, err := awsconfig.Load(ctx, o.Region)
		if err != nil {
			return c, errConfig(err)
		}
		c = loaded
	}
	if o.Region != "" {
		c.Region = o.Region
	}
	if o.Endpoint != "" {
		c.BaseEndpoint = &o.Endpoint
	}
	if c.Retryer == nil {
		c.Retryer = func() aws.Retryer {
			return retry.NewStandard(func(r *retry.StandardOptions) { r.Retryables = append(r.Retryables, retryTruncated{}) })
		}
	}
	if c.BaseEndpoint != nil {
		if err := o.useEndpoint(&c); err != nil {
			return c, err
		}
	}
	if c.Region == "" {
		return c, fmt.Errorf("%w: no AWS region: set Options.Region, --region or AWS_REGION", errConfiguration)
	}
	if o.Config == nil && (c.BaseEndpoint == nil || !awsconfig.Local(*c.BaseEndpoint)) {
		if err := awsconfig.Ready(ctx, o.Region); err != nil {
			return c, errConfig(err)
		}
	}
	return c, nil
}

// retryTruncated makes the SDK retry requests whose response was cut off. All requests of this package may be repeated.
type retryTruncated struct{}

// IsErrorRetryable implements [retry.IsErrorRetryable].
func (retryTruncated) IsErrorRetryable(err error) aws.Ternary {
	if isTruncated(err) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// useEndpoint prepares c for an endpoint other than the region's own. An endpoint on this machine is an emulator, which needs a
// region and credentials but accepts any.
func (o *Options) useEndpoint(c *aws.Config) error {
	u, err := url.Parse(*c.BaseEndpoint)
	if err != nil || u.Host == "" {
		return &InvalidError{"Endpoint", *c.BaseEndpoint, "must be a URL, for example http://localhost:5000"}
	}
	if !awsconfig.Local(*c.BaseEndpoint) {
		return nil
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if o.Config == nil {
		c.Credentials = awsconfig.ForEmulator(c.Credentials)
	}
	return nil
}

// readAccount reads the id and the partition of the AWS account, once.
func (s *session) readAccount(ctx context.Context) error {
	if s.account != "" {
		return nil
	}
	who, err := s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return s.errCall("read the id of the AWS account", err)
	}
	caller, _ := arn.Parse(aws.ToString(who.Arn)) // an emulator may return something else
	s.account, s.partition = aws.ToString(who.Account), cmp.Or(caller.Partition, "aws")
	return nil
}

// report emits an event for a step of this package.
func (s *session) report(reason string) {
	s.o.Progress(Event{Time: s.o.Now(), Resource: s.name, Reason: reason})
}

// sleepAbout sleeps between 0.8 d and 1.2 d.
func (s *session) sleepAbout(ctx context.Context, d time.Duration) error {
	return s.o.Sleep(ctx, d*4/5+time.Duration(s.jitter()*float64(d)*2/5))
}
