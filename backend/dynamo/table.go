package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// tableWait limits the wait for a new table. DynamoDB takes seconds, DynamoDB Local no time.
const tableWait = 2 * time.Minute

// CreateTable creates a table as in the deployment's template, waits until it can be used, and writes the schema record. It is
// for DynamoDB Local and tests. It returns an error if the table exists. The table keeps expired records, unlike that of a
// deployment, because an emulator would drop them within seconds by the machine's clock, which need not be the test's.
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

// Initialize prepares a table that another program has created: it checks the keys of the table and of its index, and writes
// the schema record if there is none. It returns [ErrNotDeployed] if there is no such table, and [backend.ErrRejected] if the
// table cannot hold a limiter's records or has a schema of another version; then it changes nothing. A table may be without
// stream, and then has no usage, and without TTL, and then keeps expired records. It does not become part of a stack.
func Initialize(ctx context.Context, name string, o *Options) error {
	s, err := connect(ctx, name, o)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it always returns nil
	out, err := s.api.reads.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return classify(ctx, name, err, reading)
	}
	if why := unfit(out.Table); why != "" {
		return fmt.Errorf("%w: dynamo: table %s cannot hold a limiter's records: %s: create another table", backend.ErrRejected, name, why)
	}
	return s.initialize(ctx)
}

// unfit returns why a table cannot hold a limiter's records, or "" if it can.
func unfit(t *types.TableDescription) string {
	are := func(schema []types.KeySchemaElement, hash, sort string) bool {
		return len(schema) == 2 && aws.ToString(schema[0].AttributeName) == hash && aws.ToString(schema[1].AttributeName) == sort
	}
	if !are(t.KeySchema, hashKey, rangeKey) {
		return "its keys must be " + hashKey + " and " + rangeKey
	}
	for _, a := range t.AttributeDefinitions {
		if a.AttributeType != types.ScalarAttributeTypeS && slices.Contains([]string{hashKey, rangeKey, indexHash, indexSort}, aws.ToString(a.AttributeName)) {
			return "its key " + *a.AttributeName + " must be a string"
		}
	}
	for _, i := range t.GlobalSecondaryIndexes {
		if aws.ToString(i.IndexName) == indexName {
			if !are(i.KeySchema, indexHash, indexSort) {
				return "the keys of its index " + indexName + " must be " + indexHash + " and " + indexSort
			}
			return ""
		}
	}
	return "it has no index " + indexName + ", with the keys " + indexHash + " and " + indexSort
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

// check reads the schema record, until it was valid once.
func (s *Store) check(ctx context.Context) error {
	if !s.unchecked.Load() {
		return nil
	}
	out, err := s.api.reads.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: schemaKey, ConsistentRead: aws.Bool(true)})
	if err = classify(ctx, s.table, err, reading); errors.Is(err, backend.ErrInvalid) { // the table has other keys
		return fmt.Errorf("%w: table %s is of something else: its keys are not %s and %s, both strings: check the name: %w",
			ErrNotDeployed, s.table, hashKey, rangeKey, err)
	}
	if err != nil {
		return err
	}
	version, ok := out.Item[schemaField].(*types.AttributeValueMemberN)
	if !ok {
		return fmt.Errorf("%w: table %s has no schema record: write it with: zae-limiter init --name %s (or check the name)",
			ErrNotDeployed, s.table, s.table)
	}
	if version.Value != versionText {
		return fmt.Errorf("%w: dynamo: table %s has schema version %s, this program knows %s: use the version of zae-limiter that "+
			"deployed it, or run: zae-limiter upgrade --name %s", backend.ErrRejected, s.table, version.Value, versionText, s.table)
	}
	s.unchecked.Store(false)
	return nil
}
