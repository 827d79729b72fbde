package dynamo_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	. "github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
)

// TestInitialize makes a table usable that something else has created, and leaves one alone that cannot be made so.
func TestInitialize(t *testing.T) {
	t.Parallel()
	config := Shared(t).Config()
	o, client := &dynamo.Options{Config: &config}, dynamodb.NewFromConfig(config)
	text := func(names ...string) (all []types.AttributeDefinition) {
		for _, n := range names {
			all = append(all, types.AttributeDefinition{AttributeName: &n, AttributeType: types.ScalarAttributeTypeS})
		}
		return all
	}
	keys := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange}}
	}
	index := func(hash, sort string) []types.GlobalSecondaryIndex {
		return []types.GlobalSecondaryIndex{{
			IndexName: aws.String("GSI1"), KeySchema: keys(hash, sort), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}
	}
	number := text("PK", "SK", "GSI1PK", "GSI1SK")
	number[1].AttributeType = types.ScalarAttributeTypeN
	for i, c := range []struct {
		says string // "" if it serves
		in   dynamodb.CreateTableInput
	}{
		{"", dynamodb.CreateTableInput{KeySchema: keys("PK", "SK"), AttributeDefinitions: text("PK", "SK", "GSI1PK", "GSI1SK"), GlobalSecondaryIndexes: index("GSI1PK", "GSI1SK")}},
		{"its keys must be PK and SK", dynamodb.CreateTableInput{KeySchema: keys("id", "at"), AttributeDefinitions: text("id", "at")}},
		{"its key SK must be a string", dynamodb.CreateTableInput{KeySchema: keys("PK", "SK"), AttributeDefinitions: number, GlobalSecondaryIndexes: index("GSI1PK", "GSI1SK")}},
		{"it has no index GSI1", dynamodb.CreateTableInput{KeySchema: keys("PK", "SK"), AttributeDefinitions: text("PK", "SK")}},
		{"the keys of its index GSI1", dynamodb.CreateTableInput{KeySchema: keys("PK", "SK"), AttributeDefinitions: text("PK", "SK"), GlobalSecondaryIndexes: index("SK", "PK")}},
	} {
		name := fmt.Sprintf("initialize-%d-%s", i, strings.ToLower(rand.Text()))
		c.in.TableName, c.in.BillingMode = &name, types.BillingModePayPerRequest
		if _, err := client.CreateTable(t.Context(), &c.in); err != nil {
			t.Fatal(err)
		}
		err := dynamo.Initialize(t.Context(), name, o)
		_, opened := dynamo.Open(t.Context(), name, o)
		if c.says == "" && (err != nil || opened != nil) {
			t.Errorf("%v, %v", err, opened)
		}
		if c.says != "" && (!errors.Is(err, backend.ErrRejected) || !strings.Contains(err.Error(), c.says) || !errors.Is(opened, dynamo.ErrNotDeployed)) {
			t.Errorf("%s: %v, %v", c.says, err, opened)
		}
	}
	if err := dynamo.Initialize(t.Context(), "initialize-none", o); !errors.Is(err, dynamo.ErrNotDeployed) {
		t.Error(err)
	}
}
