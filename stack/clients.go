package stack

import (
	"context"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// What of the SDK is used. These are functions and no interfaces: of a client that is in an interface, or in anything that
// is, the linker keeps all calls, which were three of nine megabytes of the function's zip.
type (
	stacks struct {
		ContinueUpdateRollback      func(context.Context, *cloudformation.ContinueUpdateRollbackInput, ...func(*cloudformation.Options)) (*cloudformation.ContinueUpdateRollbackOutput, error)
		CreateChangeSet             func(context.Context, *cloudformation.CreateChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.CreateChangeSetOutput, error)
		DeleteChangeSet             func(context.Context, *cloudformation.DeleteChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteChangeSetOutput, error)
		DeleteStack                 func(context.Context, *cloudformation.DeleteStackInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteStackOutput, error)
		DescribeChangeSet           func(context.Context, *cloudformation.DescribeChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeChangeSetOutput, error)
		DescribeEvents              func(context.Context, *cloudformation.DescribeEventsInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeEventsOutput, error)
		DescribeStackEvents         func(context.Context, *cloudformation.DescribeStackEventsInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackEventsOutput, error)
		DescribeStacks              func(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
		ExecuteChangeSet            func(context.Context, *cloudformation.ExecuteChangeSetInput, ...func(*cloudformation.Options)) (*cloudformation.ExecuteChangeSetOutput, error)
		ListStackResources          func(context.Context, *cloudformation.ListStackResourcesInput, ...func(*cloudformation.Options)) (*cloudformation.ListStackResourcesOutput, error)
		UpdateTerminationProtection func(context.Context, *cloudformation.UpdateTerminationProtectionInput, ...func(*cloudformation.Options)) (*cloudformation.UpdateTerminationProtectionOutput, error)
	}
	tables struct {
		DeleteTable               func(context.Context, *dynamodb.DeleteTableInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteTableOutput, error)
		DescribeContinuousBackups func(context.Context, *dynamodb.DescribeContinuousBackupsInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeContinuousBackupsOutput, error)
		DescribeTable             func(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
		DescribeTimeToLive        func(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
		GetItem                   func(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
		UpdateItem                func(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
		UpdateTable               func(context.Context, *dynamodb.UpdateTableInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateTableOutput, error)
	}
	buckets struct {
		DeleteBucket                    func(context.Context, *s3.DeleteBucketInput, ...func(*s3.Options)) (*s3.DeleteBucketOutput, error)
		DeleteObjects                   func(context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
		GetBucketEncryption             func(context.Context, *s3.GetBucketEncryptionInput, ...func(*s3.Options)) (*s3.GetBucketEncryptionOutput, error)
		GetBucketLifecycleConfiguration func(context.Context, *s3.GetBucketLifecycleConfigurationInput, ...func(*s3.Options)) (*s3.GetBucketLifecycleConfigurationOutput, error)
		HeadBucket                      func(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
		HeadObject                      func(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
		ListObjectVersions              func(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
		PutObject                       func(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	}
	callers struct {
		GetCallerIdentity func(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
	}
)

// session is one call of this package on one stack.
type session struct {
	name   string
	o      Options // with defaults
	region string
	stacks stacks
	tables tables
	s3     buckets
	sts    callers
	jitter func() float64 // in [0, 1)
	own    string         // version of this program

	planning bool  // nothing will be carried out: the function's code is not needed
	noCode   error // why it cannot be had

	account, partition string  // see identify
	events             []Event // of the operation under way, oldest first
	changes            []Change
}

// open makes the clients. It talks to nobody.
func open(ctx context.Context, name string, o *Options) (*session, error) {
	s := &session{name: name, jitter: rand.Float64, own: version()}
	if o != nil {
		s.o = *o
	}
	s.o.setDefaults()
	c, err := s.o.config(ctx)
	if err != nil {
		return nil, err
	}
	s.region = c.Region
	cfn := cloudformation.NewFromConfig(c)
	s.stacks = stacks{
		ContinueUpdateRollback: cfn.ContinueUpdateRollback, CreateChangeSet: cfn.CreateChangeSet,
		DeleteChangeSet: cfn.DeleteChangeSet, DeleteStack: cfn.DeleteStack,
		DescribeChangeSet: cfn.DescribeChangeSet, DescribeEvents: cfn.DescribeEvents,
		DescribeStackEvents: cfn.DescribeStackEvents, DescribeStacks: cfn.DescribeStacks,
		ExecuteChangeSet: cfn.ExecuteChangeSet, ListStackResources: cfn.ListStackResources,
		UpdateTerminationProtection: cfn.UpdateTerminationProtection,
	}
	s.tables = tablesOf(dynamodb.NewFromConfig(c, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum = true // emulators send none, and each reply would be warned of
		if o.BaseEndpoint != nil {
			o.AccountIDEndpointMode = aws.AccountIDEndpointModeDisabled
		}
	}))
	objects := s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // emulators have no host for each bucket
	})
	s.s3 = buckets{
		DeleteBucket: objects.DeleteBucket, DeleteObjects: objects.DeleteObjects,
		GetBucketEncryption: objects.GetBucketEncryption, GetBucketLifecycleConfiguration: objects.GetBucketLifecycleConfiguration,
		HeadBucket: objects.HeadBucket, HeadObject: objects.HeadObject, ListObjectVersions: objects.ListObjectVersions,
		PutObject: objects.PutObject,
	}
	s.sts = callers{GetCallerIdentity: sts.NewFromConfig(c).GetCallerIdentity}
	return s, nil
}

func tablesOf(c *dynamodb.Client) tables {
	return tables{c.DeleteTable, c.DescribeContinuousBackups, c.DescribeTable, c.DescribeTimeToLive, c.GetItem, c.UpdateItem, c.UpdateTable}
}

// config is the SDK's, made of whatever the caller gave.
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
			return retry.NewStandard(func(r *retry.StandardOptions) { r.Retryables = append(r.Retryables, torn{}) })
		}
	}
	if c.BaseEndpoint != nil {
		if err := o.atEndpoint(&c); err != nil {
			return c, err
		}
	}
	if c.Region == "" {
		return c, errRegion()
	}
	if o.Config == nil && (c.BaseEndpoint == nil || !awsconfig.Local(*c.BaseEndpoint)) {
		if err := awsconfig.Ready(ctx, o.Region); err != nil {
			return c, errConfig(err)
		}
	}
	return c, nil
}

// torn has requests sent again whose answer broke off: all that are made here can be.
type torn struct{}

// IsErrorRetryable implements [retry.IsErrorRetryable].
func (torn) IsErrorRetryable(err error) aws.Ternary {
	if isTorn(err) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// atEndpoint is for endpoints that are not the region's own. One on this machine is an emulator, which wants some region
// and some credentials, and does not care which.
func (o *Options) atEndpoint(c *aws.Config) error {
	u, err := url.Parse(*c.BaseEndpoint)
	if err != nil || u.Host == "" {
		return &InvalidError{"Endpoint", *c.BaseEndpoint, "wanted is a URL: http://localhost:5000"}
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

// identify asks, once, whose account this is.
func (s *session) identify(ctx context.Context) error {
	if s.account != "" {
		return nil
	}
	who, err := s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return s.errCall("ask whose account this is", err)
	}
	s.account, s.partition = aws.ToString(who.Account), partitionOf(aws.ToString(who.Arn))
	return nil
}

// say tells what this package does, among the events.
func (s *session) say(reason string) {
	s.o.Progress(Event{Time: s.o.Now(), Resource: s.name, Reason: reason})
}

// rest waits about d.
func (s *session) rest(ctx context.Context, d time.Duration) error {
	return s.o.Sleep(ctx, d*4/5+time.Duration(s.jitter()*float64(d)*2/5))
}
