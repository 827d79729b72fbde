package stack

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const typeStack = "AWS::CloudFormation::Stack"

func isNoTable(err error) bool { return hasCode(err, "ResourceNotFoundException") }

// table describes the table; nil if there is none.
func (s *session) table(ctx context.Context) (*types.TableDescription, error) {
	out, err := s.tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.name})
	if isNoTable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.errCall("read the table", err)
	}
	return out.Table, nil
}

// deleteTable deletes a table and waits until it is gone. A table with another id is that of a later deployment.
func (s *session) deleteTable(ctx context.Context, table *types.TableDescription) error {
	s.report("deleting the table " + s.name)
	for p := (&poller{s: s}); ; {
		now, err := s.table(ctx)
		if err == nil && (now == nil || aws.ToString(now.TableId) != aws.ToString(table.TableId)) {
			return nil
		}
		if err == nil && now.TableStatus != types.TableStatusDeleting {
			_, err = s.tables.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &s.name})
		}
		if isNoTable(err) || hasCode(err, "ResourceInUseException") { // it is being deleted or updated
			err = nil
		}
		if err := p.wait(ctx, err); err != nil {
			return s.errCall("delete the table", err)
		}
	}
}

// unprotectTable turns off deletion protection.
func (s *session) unprotectTable(ctx context.Context) error {
	s.report("turning off deletion protection of the table")
	_, err := s.tables.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &s.name, DeletionProtectionEnabled: aws.Bool(false)})
	return s.errCall("turn off deletion protection of the table", err)
}
