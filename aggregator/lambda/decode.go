package lambda

import (
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// batch is a decoded event.
type batch struct {
	changes []backend.Change
	records []int         // index of the record of each change
	failed  map[int]error // records that cannot be read
}

// decode decodes an event. It omits records after an unreadable one of the same key, since they must not be counted first.
func decode(event *events.DynamoDBEvent) batch {
	b := batch{failed: map[int]error{}}
	broken := map[[2]string]bool{}
	for i := range event.Records {
		r := &event.Records[i].Change
		key := [2]string{stringValue(r.Keys["PK"]), stringValue(r.Keys["SK"])}
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

func stringValue(v events.DynamoDBAttributeValue) string {
	if v.DataType() != events.DataTypeString {
		return ""
	}
	return v.String()
}

// imageOf converts the image of an event to an item of the SDK.
func imageOf(of map[string]events.DynamoDBAttributeValue) map[string]types.AttributeValue {
	item := make(map[string]types.AttributeValue, len(of))
	for name, v := range of {
		switch v.DataType() {
		case events.DataTypeNumber:
			item[name] = &types.AttributeValueMemberN{Value: v.Number()}
		case events.DataTypeString:
			item[name] = &types.AttributeValueMemberS{Value: v.String()}
		case events.DataTypeBinary:
			item[name] = &types.AttributeValueMemberB{Value: v.Binary()}
		default: // no record has other types; ChangeOf returns an error
			item[name] = &types.AttributeValueMemberNULL{}
		}
	}
	return item
}
