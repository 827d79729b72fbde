package stack

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// schemaVersion is the version of the records that this program reads and writes.
const schemaVersion = 1

// Attributes of the schema record. Only a deployment writes the name of a stack: the table belongs to that stack, and a later
// stack of the same name adopts it if it was kept.
const (
	attributeVersion = "version"
	attributeStack   = "stack"
)

// schemaRecord is the record without which a store cannot be opened. The zero value means that the table has none.
type schemaRecord struct {
	version string
	stack   string // name of the stack that the table belongs to, or belonged to; empty if there was never one
}

func textValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func schemaKey() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"PK": textValue("_/schema|"), "SK": textValue("schema")}
}

// readRecord reads the schema record. It returns no error if the table does not exist.
func (s *session) readRecord(ctx context.Context) (schemaRecord, error) {
	out, err := s.tables.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.name, Key: schemaKey(), ConsistentRead: aws.Bool(true)})
	if isNoTable(err) {
		return schemaRecord{}, nil
	}
	if err != nil {
		return schemaRecord{}, s.errCall("read the table's schema record", err)
	}
	var found schemaRecord
	if v, ok := out.Item[attributeVersion].(*types.AttributeValueMemberN); ok {
		found.version = v.Value
	}
	if v, ok := out.Item[attributeStack].(*types.AttributeValueMemberS); ok {
		found.stack = v.Value
	}
	return found, nil
}

// checkVersion rejects a table of a newer program.
func (s *session) checkVersion(found schemaRecord) error {
	if n, err := strconv.Atoi(found.version); found.version != "" && (err != nil || n > schemaVersion) {
		return fmt.Errorf("%w: stack %s has schema version %s, this program supports %d: use the version that deployed it",
			ErrNewer, s.name, found.version, schemaVersion)
	}
	return nil
}

// readSupported reads the schema record, and rejects that of a newer program.
func (s *session) readSupported(ctx context.Context) (schemaRecord, error) {
	found, err := s.readRecord(ctx)
	if err == nil {
		err = s.checkVersion(found)
	}
	return found, err
}

// completeSchemaRecord writes the version, if there is none, and the name of the stack into the schema record.
func (s *session) completeSchemaRecord(ctx context.Context) error {
	found, err := s.readRecord(ctx)
	if err != nil || found.version != "" && found.stack == s.name {
		return err
	}
	return s.writeRecord(ctx, s.name)
}

// writeRecord writes the schema record, with the name of a stack unless that is empty. It keeps an existing version.
func (s *session) writeRecord(ctx context.Context, stack string) error {
	in := &dynamodb.UpdateItemInput{
		TableName: &s.name, Key: schemaKey(), UpdateExpression: aws.String("SET #version = if_not_exists(#version, :version)"),
		ExpressionAttributeNames:  map[string]string{"#version": attributeVersion},
		ExpressionAttributeValues: map[string]types.AttributeValue{":version": &types.AttributeValueMemberN{Value: strconv.Itoa(schemaVersion)}},
	}
	if stack != "" {
		in.UpdateExpression = aws.String(*in.UpdateExpression + ", #stack = :stack")
		in.ExpressionAttributeNames["#stack"] = attributeStack
		in.ExpressionAttributeValues[":stack"] = textValue(stack)
	}
	_, err := s.tables.UpdateItem(ctx, in)
	if isNoTable(err) {
		return s.errDataGone("table")
	}
	return s.errCall("write the table's schema record", err)
}
