package stack

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// schemaVersion is that of the records which this version's programs read and write.
const schemaVersion = 1

const (
	fieldVersion = "version"
	typeStack    = "AWS::CloudFormation::Stack"
)

func textValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// schemaKey is that of the record without which no store opens.
func schemaKey() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"PK": textValue("_/schema|"), "SK": textValue("schema")}
}

// schema is the version in the table's schema record; "" where there is no record. The error is nil also where there is
// no table.
func (s *session) schema(ctx context.Context) (string, error) {
	out, err := s.tables.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.name, Key: schemaKey(), ConsistentRead: aws.Bool(true)})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", s.errCall("read the table's schema record", err)
	}
	if found, ok := out.Item[fieldVersion].(*types.AttributeValueMemberN); ok {
		return found.Value, nil
	}
	return "", nil
}

// checkSchema refuses a table of a newer program.
func (s *session) checkSchema(ctx context.Context) error {
	found, err := s.schema(ctx)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(found); found != "" && (err != nil || n > schemaVersion) {
		return s.errNewer(found)
	}
	return nil
}

// initialize writes the schema record where it is missing.
func (s *session) initialize(ctx context.Context) error {
	if found, err := s.schema(ctx); err != nil || found != "" {
		return err
	}
	record := schemaKey()
	record[fieldVersion] = &types.AttributeValueMemberN{Value: strconv.Itoa(schemaVersion)}
	_, err := s.tables.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.name, Item: record, ConditionExpression: aws.String("attribute_not_exists(PK)"),
	})
	var (
		there   *types.ConditionalCheckFailedException
		missing *types.ResourceNotFoundException
	)
	switch {
	case errors.As(err, &there): // somebody else was faster
		return nil
	case errors.As(err, &missing):
		return s.errTableGone()
	}
	return s.errCall("write the table's schema record", err)
}

// table is nil where there is none.
func (s *session) table(ctx context.Context) (*types.TableDescription, error) {
	out, err := s.tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.name})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, s.errCall("look at the table", err)
	}
	return out.Table, nil
}

// ourTable is the table of the name, nil if there is none. It is refused if it is of something else.
func (s *session) ourTable(ctx context.Context) (*types.TableDescription, error) {
	table, err := s.table(ctx)
	if err != nil || table == nil {
		return nil, err
	}
	var keys []string
	for _, k := range table.KeySchema {
		keys = append(keys, aws.ToString(k.AttributeName))
	}
	if len(keys) != 2 || keys[0] != "PK" || keys[1] != "SK" {
		return nil, s.errForeign("table", "whose keys are not a limiter's")
	}
	found, err := s.schema(ctx)
	switch {
	case err != nil:
		return nil, err
	case found == "":
		return nil, s.errForeign("table", "without a limiter's schema record")
	}
	return table, s.checkSchema(ctx)
}

// dropTable deletes the table and waits until it is gone.
func (s *session) dropTable(ctx context.Context) error {
	s.say("deleting the table " + s.name)
	for p := (&patience{s: s}); ; {
		_, err := s.tables.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &s.name})
		var (
			missing *types.ResourceNotFoundException
			inUse   *types.ResourceInUseException // it is being deleted, or changed
		)
		if errors.As(err, &missing) {
			return nil
		}
		if errors.As(err, &inUse) {
			err = nil
		}
		if err := p.after(ctx, err); err != nil {
			return s.errCall("delete the table", err)
		}
	}
}

// unprotectTable takes deletion protection off.
func (s *session) unprotectTable(ctx context.Context) error {
	s.say("taking deletion protection off the table")
	_, err := s.tables.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &s.name, DeletionProtectionEnabled: aws.Bool(false)})
	return s.errCall("take deletion protection off the table", err)
}

// ask reads a record of the table, and tells how long that took.
func (s *session) ask(ctx context.Context) (version string, took time.Duration, err error) {
	start := s.o.Now()
	version, err = s.schema(ctx)
	return version, s.o.Now().Sub(start), err
}
