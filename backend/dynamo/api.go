package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

const (
	readTries   = 3 // of the SDK, for what changes nothing
	readBackoff = 50 * time.Millisecond
)

// api is what of the SDK is used. What may write is sent once, since who sends a write again must be able to recognise it;
// reads have a few tries.
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

type reads interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...option) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...option) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...option) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...option) (*dynamodb.ScanOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...option) (*dynamodb.DescribeTableOutput, error)
}

type writes interface {
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...option) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...option) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...option) (*dynamodb.TransactWriteItemsOutput, error)
	// For the schema record, and tables of tests.
	PutItem(context.Context, *dynamodb.PutItemInput, ...option) (*dynamodb.PutItemOutput, error)
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...option) (*dynamodb.CreateTableOutput, error)
}

type shards interface {
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...streamOption) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...streamOption) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...streamOption) (*dynamodbstreams.GetRecordsOutput, error)
}

func newAPI(base dynamodb.Options) api {
	base.DisableValidateResponseChecksum = true // it warns of every refusal (aws-sdk-go-v2 issue 3545)
	base.RetryMaxAttempts = 0
	base.Retryer = aws.NopRetryer{}
	again := retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = readTries, readBackoff })
	return api{
		writes: dynamodb.New(base),
		reads:  dynamodb.New(base, func(o *dynamodb.Options) { o.Retryer = again }),
		streams: dynamodbstreams.New(dynamodbstreams.Options{
			Region: base.Region, Credentials: base.Credentials, BaseEndpoint: base.BaseEndpoint, HTTPClient: base.HTTPClient,
			APIOptions: base.APIOptions, Retryer: again, AppID: base.AppID,
		}),
		http: base.HTTPClient,
	}
}

// closeIdle lets go of connections that nobody uses, if they are ours alone.
func (a *api) closeIdle() {
	if c, ok := a.http.(*awshttp.BuildableClient); ok {
		c.GetTransport().CloseIdleConnections()
	}
}
