package stack

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// schemaVersion is that of the records which this version's programs read and write.
const schemaVersion = 1

// Attributes of the schema record. The name of a stack is written by a deployment only: a table that carries it is that
// stack's, and is taken in again after the stack was deleted and the table kept.
const (
	fieldVersion = "version"
	fieldStack   = "stack"
)

// schemaRecord is that of a table, without which no store opens. The zero value is a record that is not there.
type schemaRecord struct {
	version string
	stack   string // name of the stack that the table is part of, or was; "" if no stack ever had it
}

func textValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func schemaKey() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"PK": textValue("_/schema|"), "SK": textValue("schema")}
}

// record reads the schema record. The error is nil also if there is no table.
func (s *session) record(ctx context.Context) (schemaRecord, error) {
	out, err := s.tables.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.name, Key: schemaKey(), ConsistentRead: aws.Bool(true)})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return schemaRecord{}, nil
	}
	if err != nil {
		return schemaRecord{}, s.errCall("read the table's schema record", err)
	}
	var found schemaRecord
	if v, ok := out.Item[fieldVersion].(*types.AttributeValueMemberN); ok {
		found.version = v.Value
	}
	if v, ok := out.Item[fieldStack].(*types.AttributeValueMemberS); ok {
		found.stack = v.Value
	}
	return found, nil
}

// checkVersion rejects a table of a newer program.
func (s *session) checkVersion(found schemaRecord) error {
	if n, err := strconv.Atoi(found.version); found.version != "" && (err != nil || n > schemaVersion) {
		return s.errNewer(found.version)
	}
	return nil
}

// checkSchema rejects a table of a newer program.
func (s *session) checkSchema(ctx context.Context) error {
	found, err := s.record(ctx)
	if err != nil {
		return err
	}
	return s.checkVersion(found)
}

// claim completes the schema record: with the version if there is none, and with the stack's name.
func (s *session) claim(ctx context.Context) error {
	found, err := s.record(ctx)
	if err != nil || found.version != "" && found.stack == s.name {
		return err
	}
	return s.write(ctx, s.name)
}

// write writes the schema record, with the name of a stack unless that is "". A version that is there stays.
func (s *session) write(ctx context.Context, stack string) error {
	in := &dynamodb.UpdateItemInput{
		TableName: &s.name, Key: schemaKey(), UpdateExpression: aws.String("SET #version = if_not_exists(#version, :version)"),
		ExpressionAttributeNames:  map[string]string{"#version": fieldVersion},
		ExpressionAttributeValues: map[string]types.AttributeValue{":version": &types.AttributeValueMemberN{Value: strconv.Itoa(schemaVersion)}},
	}
	if stack != "" {
		in.UpdateExpression = aws.String(*in.UpdateExpression + ", #stack = :stack")
		in.ExpressionAttributeNames["#stack"] = fieldStack
		in.ExpressionAttributeValues[":stack"] = textValue(stack)
	}
	_, err := s.tables.UpdateItem(ctx, in)
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return s.errTableGone()
	}
	return s.errCall("write the table's schema record", err)
}
