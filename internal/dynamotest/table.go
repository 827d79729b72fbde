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

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// Table makes a fresh table on the emulator of the test process, see [Shared], for [dynamo.Open]. It is deleted with
// the test.
func Table(t testing.TB) (name string, o *dynamo.Options) {
	t.Helper()
	return Shared(t).Table(t)
}

// Table makes a fresh table, for [dynamo.Open]. It is deleted with the test, if the emulator answers then.
func (s *Server) Table(t testing.TB) (name string, o *dynamo.Options) {
	t.Helper()
	config := s.Config()
	name, o = tableName(t.Name()), &dynamo.Options{Region: config.Region, Endpoint: s.Endpoint, Config: &config}
	if err := dynamo.CreateTable(t.Context(), name, o); err != nil {
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

// tableName is a test's name as far as DynamoDB can have it, with a random end: an emulator that outlives the test
// process knows tables, and tokens, of earlier runs.
func tableName(test string) string {
	legal := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, test)
	return legal[:min(len(legal), 200)] + "-" + rand.Text()
}

// EnableTTL has the emulator delete records of a table whose attribute holds a time in the past, in seconds since
// 1970 by the machine's clock: within about ten seconds, and of its own accord.
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
