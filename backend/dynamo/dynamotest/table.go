package dynamotest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// Table creates a table on the emulator of the test process, see [Shared], for [dynamo.Open]. It is deleted with the test.
// It has no stream: DynamoDB Local scans the streams of all tables, even of deleted ones, at each write, and takes ten times
// as long after a few hundred tests. See [StreamTable].
func Table(t testing.TB) (name string, o *dynamo.Options) {
	t.Helper()
	return Shared(t).Table(t)
}

// StreamTable is [Table] with the stream that tables of a deployment have, for tests that read it.
func StreamTable(t testing.TB) (name string, o *dynamo.Options) {
	t.Helper()
	return Shared(t).StreamTable(t)
}

// Table creates a table without a stream, for [dynamo.Open]. It is deleted with the test, if the emulator answers then.
func (s *Server) Table(t testing.TB) (name string, o *dynamo.Options) {
	t.Helper()
	return s.table(t, withoutStream)
}

// StreamTable is Table with the stream that tables of a deployment have.
func (s *Server) StreamTable(t testing.TB) (name string, o *dynamo.Options) {
	t.Helper()
	return s.table(t)
}

// withoutStream creates tables without their stream.
func withoutStream(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("withoutStream",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			if table, ok := in.Parameters.(*dynamodb.CreateTableInput); ok {
				table.StreamSpecification = nil
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}

func (s *Server) table(t testing.TB, change ...func(*middleware.Stack) error) (name string, o *dynamo.Options) {
	t.Helper()
	config, making := s.Config(), s.Config()
	making.APIOptions = change
	name, o = tableName(t.Name()), &dynamo.Options{Region: config.Region, Endpoint: s.Endpoint, Config: &config}
	if err := dynamo.CreateTable(t.Context(), name, &dynamo.Options{Endpoint: s.Endpoint, Config: &making}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_, err := dynamodb.NewFromConfig(config).DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name})
		if err != nil && s.Way == "endpoint" { // the others end with the process
			t.Errorf("dynamotest: table %s stays behind: %v", name, err)
		}
	})
	return name, o
}

// tableName returns a test's name, without characters that DynamoDB rejects, with a random end: an emulator that outlives the
// test process remembers tables and tokens of earlier runs.
func tableName(test string) string {
	legal := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, test)
	return legal[:min(len(legal), 200)] + "-" + rand.Text()
}

// EnableTTL turns on TTL: the emulator deletes records of a table within about ten seconds after the time in an attribute, in
// seconds since 1970, by the machine's clock.
func EnableTTL(t testing.TB, table string, o *dynamo.Options, attribute string) {
	t.Helper()
	_, err := dynamodb.NewFromConfig(*o.Config).UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
}
