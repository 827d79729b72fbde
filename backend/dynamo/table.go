package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// tableWait bounds waiting for a new table; DynamoDB takes seconds, DynamoDB Local none.
const tableWait = 2 * time.Minute

// CreateTable makes the table as a deployment's template has it, waits until it can be used, and writes the schema
// record: for DynamoDB Local and tests. A table that is there already is an error. Expired records are dropped only by
// tables of a deployment: an emulator does so within seconds by the machine's clock, which a test's need not be.
func CreateTable(ctx context.Context, name string, o *Options) error {
	s, err := connect(ctx, name, o)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it always returns nil
	if _, err := s.api.writes.CreateTable(ctx, tableInput(name)); err != nil {
		return classify(ctx, name, err, writing)
	}
	active := dynamodb.NewTableExistsWaiter(describing(s.api.reads.DescribeTable), func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 2*time.Second
	})
	if err := active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, tableWait); err != nil {
		return classify(ctx, name, err, writing)
	}
	return s.initialize(ctx)
}

// Initialize writes the schema record of a table that a deployment has made, if it is not there. A table with a schema
// of another version is an error, and stays as it is.
func Initialize(ctx context.Context, name string, o *Options) error {
	s, err := connect(ctx, name, o)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it always returns nil
	return s.initialize(ctx)
}

func tableInput(name string) *dynamodb.CreateTableInput {
	key := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	var attributes []types.AttributeDefinition
	for _, name := range []string{hashKey, rangeKey, indexHash, indexSort} {
		attributes = append(attributes, types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS})
	}
	return &dynamodb.CreateTableInput{
		TableName:            aws.String(name),
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            key(hashKey, rangeKey),
		AttributeDefinitions: attributes,
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(indexName), KeySchema: key(indexHash, indexSort),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}
}

var versionText = strconv.Itoa(schemaVersion)

var schemaKey = item{hashKey: text(schemaHash), rangeKey: text(schemaRange)}

func (s *Store) initialize(ctx context.Context) error {
	record := item{
		hashKey: schemaKey[hashKey], rangeKey: schemaKey[rangeKey], schemaField: &types.AttributeValueMemberN{Value: versionText},
	}
	_, err := s.api.writes.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: record, ConditionExpression: aws.String("attribute_not_exists(" + hashKey + ")"),
	})
	var there *types.ConditionalCheckFailedException
	if errors.As(err, &there) {
		s.unchecked.Store(true)
		return s.check(ctx)
	}
	return classify(ctx, s.table, err, writing)
}

// check looks at the schema record, once.
func (s *Store) check(ctx context.Context) error {
	if !s.unchecked.Load() {
		return nil
	}
	out, err := s.api.reads.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: schemaKey, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return classify(ctx, s.table, err, reading)
	}
	version, ok := out.Item[schemaField].(*types.AttributeValueMemberN)
	if !ok {
		return fmt.Errorf("%w: table %s has no schema record; complete it with: zae-limiter deploy --name %s (or check the name)",
			ErrNotDeployed, s.table, s.table)
	}
	if version.Value != versionText {
		return fmt.Errorf("%w: dynamo: table %s has schema version %s, this program knows %s: use the version of zae-limiter that "+
			"deployed it, or run: zae-limiter upgrade --name %s", backend.ErrRejected, s.table, version.Value, versionText, s.table)
	}
	s.unchecked.Store(false)
	return nil
}
