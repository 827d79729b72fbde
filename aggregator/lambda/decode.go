package lambda

import (
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// batch is what an event says.
type batch struct {
	changes []backend.Change
	records []int         // of the change at the same place: which record of the event it is
	failed  map[int]error // records that cannot be read
}

// decode reads an event. What comes behind an unreadable record of the same key is left out: it must not be counted first.
func decode(event *events.DynamoDBEvent) batch {
	b := batch{failed: map[int]error{}}
	broken := map[[2]string]bool{}
	for i := range event.Records {
		r := &event.Records[i].Change
		key := [2]string{text(r.Keys["PK"]), text(r.Keys["SK"])}
		if broken[key] {
			continue
		}
		if len(r.OldImage) == 0 && len(r.NewImage) == 0 {
			b.failed[i], broken[key] = errNoImages, true
			continue
		}
		change, kind, err := dynamo.ChangeOf(imageOf(r.OldImage), imageOf(r.NewImage), aggregator.Layouts)
		switch {
		case err != nil:
			b.failed[i], broken[key] = err, true
		case kind == dynamo.Wanted:
			if at := r.ApproximateCreationDateTime; !at.IsZero() {
				change.At = at.Unix()
			}
			b.changes, b.records = append(b.changes, change), append(b.records, i)
		}
	}
	return b
}

func text(v events.DynamoDBAttributeValue) string {
	if v.DataType() != events.DataTypeString {
		return ""
	}
	return v.String()
}

// imageOf makes an item of what events call one.
func imageOf(of map[string]events.DynamoDBAttributeValue) map[string]types.AttributeValue {
	made := make(map[string]types.AttributeValue, len(of))
	for name, v := range of {
		switch v.DataType() {
		case events.DataTypeNumber:
			made[name] = &types.AttributeValueMemberN{Value: v.Number()}
		case events.DataTypeString:
			made[name] = &types.AttributeValueMemberS{Value: v.String()}
		case events.DataTypeBinary:
			made[name] = &types.AttributeValueMemberB{Value: v.Binary()}
		default: // a kind that no record of ours has; ChangeOf says so
			made[name] = &types.AttributeValueMemberNULL{}
		}
	}
	return made
}
