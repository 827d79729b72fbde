package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// action returns one write of a transaction.
func (s *Store) action(w *backend.Write) types.TransactWriteItem {
	expression := s.expressions.of(w)
	key, values := primary(&w.Key), expression.values(w)
	const allOld = types.ReturnValuesOnConditionCheckFailureAllOld
	switch {
	case w.Remove:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.table, Key: key, ConditionExpression: expression.condition,
			ExpressionAttributeNames: expression.names, ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: allOld,
		}}
	case len(w.Effects) == 0:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &s.table, Key: key, ConditionExpression: expression.condition,
			ExpressionAttributeNames: expression.names, ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: allOld,
		}}
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &s.table, Key: key, ConditionExpression: expression.condition, UpdateExpression: expression.update,
		ExpressionAttributeNames: expression.names, ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: allOld,
	}}
}

// canceled returns why a transaction was not applied. Of several reasons, a condition that did not hold comes first.
func (s *Store) canceled(ctx context.Context, err error, writes []backend.Write, bill *bill) error {
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) {
		for i, reason := range canceled.CancellationReasons {
			if aws.ToString(reason.Code) == "ConditionalCheckFailed" && i < len(writes) {
				for _, each := range canceled.CancellationReasons {
					bill.add(2 * units(each.Item))
				}
				return s.conflict(i, &writes[i], reason.Item)
			}
		}
	}
	return classify(ctx, s.table, err, writing)
}

func (s *Store) conflict(i int, w *backend.Write, found item) error {
	conflict := &backend.ConflictError{Index: i, Key: w.Key}
	conflict.Record.Reset(w.Layout)
	if err := decode(found, &conflict.Record); err != nil {
		return err
	}
	if s.expressions.of(w).guards && backend.Check(&conflict.Record, w) {
		return tooManyDigits()
	}
	return conflict
}
