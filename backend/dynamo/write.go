package dynamo

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
)

// together is the largest number of requests of one call at the same time.
const together = 32

// Apply implements [backend.Backend], with one request for each write. A write with conditions alone is a consistent read.
func (s *Store) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	if len(writes) != len(out) {
		return fmt.Errorf("%w: dynamo: out has length %d for %d writes: make both equally long", backend.ErrInvalid, len(out), len(writes))
	}
	err := s.begin(ctx)
	for i := 0; err == nil && i < len(writes); i++ {
		err = writes[i].Validate()
	}
	if err == nil {
		err = refuse(writes)
	}
	if err != nil {
		for i := range out {
			out[i].Applied, out[i].Err = false, err
		}
		return err
	}
	bill := newBill(ctx)
	if len(writes) == 1 {
		s.apply(ctx, &writes[0], &out[0], bill)
	} else {
		s.applyAll(ctx, writes, out, bill)
	}
	bill.pay()
	for i := range out {
		if out[i].Err != nil {
			return out[i].Err
		}
	}
	return nil
}

func (s *Store) applyAll(ctx context.Context, writes []backend.Write, out []backend.Outcome, bill *bill) {
	var all sync.WaitGroup
	next := make(chan int)
	for range min(together, len(writes)) {
		all.Go(func() {
			for i := range next {
				s.apply(ctx, &writes[i], &out[i], bill)
			}
		})
	}
	for i := range writes {
		next <- i
	}
	close(next)
	all.Wait()
}

// apply sends one write.
func (s *Store) apply(ctx context.Context, w *backend.Write, out *backend.Outcome, bill *bill) {
	out.Record.Reset(w.Layout)
	if out.Applied, out.Err = false, ctx.Err(); out.Err != nil {
		return // it ended after others of the call were sent
	}
	var (
		after item
		err   error
	)
	switch {
	case w.Remove:
		err = s.remove(ctx, w, bill)
	case len(w.Effects) == 0:
		s.look(ctx, w, out, bill)
		return
	default:
		after, err = s.update(ctx, w, bill)
	}
	if err == nil {
		out.Applied, out.Err = true, decode(after, &out.Record)
		return
	}
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		out.Err = classify(ctx, s.table, err, writing)
		return
	}
	bill.add(units(refused.Item))
	if out.Err = decode(refused.Item, &out.Record); out.Err == nil && s.expressions.of(w).guards && backend.Check(&out.Record, w) {
		out.Err = tooManyDigits() // a guard did not hold
	}
}

// refuse refuses effects for which DynamoDB has no expression.
func refuse(writes []backend.Write) error {
	for i := range writes {
		for _, e := range writes[i].Effects {
			if e.Op == backend.AddFrom {
				return fmt.Errorf("%w: dynamo: AddFrom on %s is for stores with Capabilities.Max, because DynamoDB does not know the greater of two numbers: "+
					"read the record, then use Set or Add, with a condition on what was read", backend.ErrInvalid, writes[i].Layout.Field(e.Slot).Name)
			}
		}
	}
	return nil
}

func tooManyDigits() error {
	return fmt.Errorf("%w: dynamo: a sum would have more than 38 digits: add less", backend.ErrInvalid)
}

func (s *Store) update(ctx context.Context, w *backend.Write, bill *bill) (item, error) {
	expression := s.expressions.of(w)
	reply, err := s.api.writes.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: primary(&w.Key),
		ConditionExpression: expression.condition, UpdateExpression: expression.update,
		ExpressionAttributeNames: expression.names, ExpressionAttributeValues: expression.values(w),
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              bill.wanted(),
	})
	bill.sent()
	if err != nil {
		return nil, err
	}
	s.dated(reply.ResultMetadata)
	bill.capacity(reply.ConsumedCapacity)
	return reply.Attributes, nil
}

func (s *Store) remove(ctx context.Context, w *backend.Write, bill *bill) error {
	expression := s.expressions.of(w)
	reply, err := s.api.writes.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: primary(&w.Key), ConditionExpression: expression.condition,
		ExpressionAttributeNames: expression.names, ExpressionAttributeValues: expression.values(w),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              bill.wanted(),
	})
	bill.sent()
	if err == nil {
		s.dated(reply.ResultMetadata)
		bill.capacity(reply.ConsumedCapacity)
	}
	return err
}

// look checks a write that changes nothing.
func (s *Store) look(ctx context.Context, w *backend.Write, out *backend.Outcome, bill *bill) {
	found, err := s.get(ctx, &w.Key, bill)
	if err == nil {
		err = decode(found, &out.Record)
	}
	if out.Err = err; err == nil {
		out.Applied = backend.Check(&out.Record, w)
	}
}

// Commit implements [backend.Backend] by one transaction, whose token DynamoDB remembers for ten minutes.
func (s *Store) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := backend.ValidateCommit(writes); err != nil {
		return err
	}
	if err := refuse(writes); err != nil {
		return err
	}
	actions := make([]types.TransactWriteItem, len(writes))
	for i := range writes {
		actions[i] = s.action(&writes[i])
	}
	bill := newBill(ctx)
	reply, err := s.api.writes.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: actions, ClientRequestToken: aws.String(hex.EncodeToString(token[:])), ReturnConsumedCapacity: bill.wanted(),
	})
	bill.sent()
	if err != nil {
		err = s.canceled(ctx, err, writes, bill)
		bill.pay()
		return err
	}
	s.dated(reply.ResultMetadata)
	for i := range reply.ConsumedCapacity {
		bill.capacity(&reply.ConsumedCapacity[i])
	}
	bill.pay()
	return nil
}

// values returns the operands of a write that has this expression.
func (expression *expression) values(w *backend.Write) item {
	v := newValues(expression.numbers, expression.operands)
	for i := range w.Conds {
		c := &w.Conds[i]
		switch {
		case c.Op <= backend.Absent:
		case !c.Slot.IsNumber():
			v.text(operand(":c", i), c.Text, w.Layout.Field(c.Slot).Kind)
		default:
			v.number(operand(":c", i), c.A)
			if c.Op == backend.Between {
				v.number(operand(":d", i), c.B)
			}
		}
	}
	for i := range w.Effects {
		expression.effect(&v, w, i)
	}
	if w.Index != nil {
		v.text(operand(":h", 0), indexHashOf(w.Key.Namespace, w.Index.Partition), backend.Text)
		v.text(operand(":s", 0), w.Index.Sort, backend.Text)
	}
	if w.Expiry > 0 {
		v.int(operand(":x", 0), int64(w.Expiry))
	}
	if expression.names["#e"] != "" {
		v.int(operand(":n", 0), 0)
	}
	return v.done()
}

// largest is the largest number, of 38 digits.
var largest = func() backend.Num {
	n, _ := num.Parse("99999999999999999999999999999999999999")
	return n
}()

func (expression *expression) effect(v *values, w *backend.Write, i int) {
	e := &w.Effects[i]
	switch {
	case e.Op == backend.Unset:
		return
	case !e.Slot.IsNumber():
		v.text(operand(":e", i), e.Text, w.Layout.Field(e.Slot).Kind)
		return
	}
	v.number(operand(":e", i), e.Num)
	if e.Op == backend.Add && !e.Base.IsZero() {
		v.number(operand(":b", i), e.Base)
	}
	if expression.guards && needsGuard(w, e) {
		bound := largest
		if e.Num.Sign() < 0 {
			bound = largest.Neg()
		}
		v.number(operand(":g", i), bound.Sub(e.Num))
	}
}
