package stack

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const typeStack = "AWS::CloudFormation::Stack"

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

// ask reads the schema record, and returns how long that took.
func (s *session) ask(ctx context.Context) (found schemaRecord, took time.Duration, err error) {
	start := s.o.Now()
	found, err = s.record(ctx)
	return found, s.o.Now().Sub(start), err
}
