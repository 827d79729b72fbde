package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

const (
	readTries   = 3 // of the SDK, for requests that change nothing
	readBackoff = 50 * time.Millisecond
)

// api is the part of the SDK that is used. Writes are sent once (but see resigning), because only a caller who can recognize a
// write may send it again; reads are retried. The calls are functions, not interfaces, because the linker keeps all methods
// of a client in an interface, and the program is also a Lambda function's zip.
type api struct {
	reads   reads
	writes  writes
	streams shards
	http    any
}

type (
	option       = func(*dynamodb.Options)
	streamOption = func(*dynamodbstreams.Options)
)

type reads struct {
	GetItem       func(context.Context, *dynamodb.GetItemInput, ...option) (*dynamodb.GetItemOutput, error)
	BatchGetItem  func(context.Context, *dynamodb.BatchGetItemInput, ...option) (*dynamodb.BatchGetItemOutput, error)
	Query         func(context.Context, *dynamodb.QueryInput, ...option) (*dynamodb.QueryOutput, error)
	Scan          func(context.Context, *dynamodb.ScanInput, ...option) (*dynamodb.ScanOutput, error)
	DescribeTable func(context.Context, *dynamodb.DescribeTableInput, ...option) (*dynamodb.DescribeTableOutput, error)
}

type writes struct {
	UpdateItem         func(context.Context, *dynamodb.UpdateItemInput, ...option) (*dynamodb.UpdateItemOutput, error)
	DeleteItem         func(context.Context, *dynamodb.DeleteItemInput, ...option) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems func(context.Context, *dynamodb.TransactWriteItemsInput, ...option) (*dynamodb.TransactWriteItemsOutput, error)
	// These are for the schema record and for the tables of tests.
	PutItem     func(context.Context, *dynamodb.PutItemInput, ...option) (*dynamodb.PutItemOutput, error)
	CreateTable func(context.Context, *dynamodb.CreateTableInput, ...option) (*dynamodb.CreateTableOutput, error)
}

// describing makes an interface of DescribeTable.
type describing func(context.Context, *dynamodb.DescribeTableInput, ...option) (*dynamodb.DescribeTableOutput, error)

// DescribeTable implements [dynamodb.DescribeTableAPIClient].
func (d describing) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, o ...option) (*dynamodb.DescribeTableOutput, error) {
	return d(ctx, in, o...)
}

type shards struct {
	DescribeStream   func(context.Context, *dynamodbstreams.DescribeStreamInput, ...streamOption) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator func(context.Context, *dynamodbstreams.GetShardIteratorInput, ...streamOption) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords       func(context.Context, *dynamodbstreams.GetRecordsInput, ...streamOption) (*dynamodbstreams.GetRecordsOutput, error)
}

func newAPI(base dynamodb.Options) api {
	base.DisableValidateResponseChecksum = true // it logs a warning for every refusal (aws-sdk-go-v2 issue 3545)
	base.RetryMaxAttempts = 0
	base.Retryer = resigning{}
	again := retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = readTries, readBackoff })
	w := dynamodb.New(base)
	r := dynamodb.New(base, func(o *dynamodb.Options) { o.Retryer = again })
	s := dynamodbstreams.New(dynamodbstreams.Options{
		Region: base.Region, Credentials: base.Credentials, BaseEndpoint: base.BaseEndpoint, HTTPClient: base.HTTPClient,
		APIOptions: base.APIOptions, Retryer: again, AppID: base.AppID,
	})
	return api{
		writes:  writes{w.UpdateItem, w.DeleteItem, w.TransactWriteItems, w.PutItem, w.CreateTable},
		reads:   reads{r.GetItem, r.BatchGetItem, r.Query, r.Scan, r.DescribeTable},
		streams: shards{s.DescribeStream, s.GetShardIterator, s.GetRecords},
		http:    base.HTTPClient,
	}
}

// resigning sends a write once more if its signature was rejected because this machine's clock and DynamoDB's differ.
// DynamoDB checks signatures before requests, so that the write was certainly not applied. The SDK learns the difference from
// the Date of the reply, and signs this write and all later ones by DynamoDB's clock.
type resigning struct{ aws.NopRetryer }

// MaxAttempts implements [aws.Retryer].
func (resigning) MaxAttempts() int { return 2 }

// IsErrorRetryable implements [aws.Retryer]. The SDK marks an error as retryable only if its code is one of those for signatures
// and the time of the signature was wrong by minutes.
func (resigning) IsErrorRetryable(err error) bool {
	return retry.RetryableError{}.IsErrorRetryable(err) == aws.TrueTernary
}

// RetryDelay implements [aws.Retryer].
func (resigning) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

// closeIdle closes idle connections, if the HTTP client is our own.
func (a *api) closeIdle() {
	if c, ok := a.http.(*ownClient); ok {
		c.CloseIdleConnections()
	}
}
