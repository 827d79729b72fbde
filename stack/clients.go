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

// The calls of the SDK that this package uses. They are functions, not interfaces, because the linker keeps all methods of a
// client that is stored in an interface: three of the nine megabytes of the function's zip.
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

// session is the state of one call of this package, for one stack.
type session struct {
	name    string
	o       Options // with defaults
	region  string
	stacks  stacks
	tables  tables
	s3      buckets
	sts     callers
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
	s := &session{name: name, jitter: rand.Float64, version: version()}
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
	s.tables = newTables(dynamodb.NewFromConfig(c, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum = true // emulators send no checksum, and the SDK would warn about each response
		if o.BaseEndpoint != nil {
			o.AccountIDEndpointMode = aws.AccountIDEndpointModeDisabled
		}
	}))
	objects := s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // emulators have no host per bucket
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

func newTables(c *dynamodb.Client) tables {
	return tables{c.DeleteTable, c.DescribeContinuousBackups, c.DescribeTable, c.DescribeTimeToLive, c.GetItem, c.UpdateItem, c.UpdateTable}
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
		return c, errRegion()
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
	s.account, s.partition = aws.ToString(who.Account), partitionOf(aws.ToString(who.Arn))
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
