package lambdatest

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// EventOf returns the event that the service sends for records of a stream. The SDK encodes them differently.
func EventOf(records []types.Record) ([]byte, error) {
	event := events.DynamoDBEvent{Records: make([]events.DynamoDBEventRecord, len(records))}
	for i := range records {
		r := &records[i]
		to := &event.Records[i]
		*to = events.DynamoDBEventRecord{
			AWSRegion: aws.ToString(r.AwsRegion), EventID: aws.ToString(r.EventID), EventName: string(r.EventName),
			EventSource: "aws:dynamodb", EventVersion: "1.1",
			Change: events.DynamoDBStreamRecord{
				Keys: imageOf(r.Dynamodb.Keys), NewImage: imageOf(r.Dynamodb.NewImage), OldImage: imageOf(r.Dynamodb.OldImage),
				SequenceNumber: aws.ToString(r.Dynamodb.SequenceNumber), SizeBytes: aws.ToInt64(r.Dynamodb.SizeBytes),
				StreamViewType: string(r.Dynamodb.StreamViewType),
			},
		}
		if at := r.Dynamodb.ApproximateCreationDateTime; at != nil {
			to.Change.ApproximateCreationDateTime = events.SecondsEpochTime{Time: at.Truncate(time.Second)}
		}
		if u := r.UserIdentity; u != nil {
			to.UserIdentity = &events.DynamoDBUserIdentity{Type: aws.ToString(u.Type), PrincipalID: aws.ToString(u.PrincipalId)}
		}
	}
	return json.Marshal(event)
}

func imageOf(of map[string]types.AttributeValue) map[string]events.DynamoDBAttributeValue {
	if len(of) == 0 {
		return nil
	}
	made := make(map[string]events.DynamoDBAttributeValue, len(of))
	for name, v := range of {
		switch v := v.(type) {
		case *types.AttributeValueMemberN:
			made[name] = events.NewNumberAttribute(v.Value)
		case *types.AttributeValueMemberS:
			made[name] = events.NewStringAttribute(v.Value)
		case *types.AttributeValueMemberB:
			made[name] = events.NewBinaryAttribute(v.Value)
		case *types.AttributeValueMemberBOOL:
			made[name] = events.NewBooleanAttribute(v.Value)
		default:
			made[name] = events.NewNullAttribute()
		}
	}
	return made
}
