package dynamo_test

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/dynamotest"
)

var large = []engine.Limit{engine.PerMinute("rpm", 1e12), engine.PerMinute("tpm", 1e15)}

// BenchmarkAllow is an admission of two limits on a live bucket: one request each, which it asserts.
func BenchmarkAllow(b *testing.B) {
	name, o := dynamotest.Table(b)
	counter := dynamotest.NewInjector(b, nil)
	l, err := engine.New(mustOpen(b, name, counter.Options(o)), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	r := engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1, "tpm": 500}, Limits: large}
	allow := func() {
		if d, err := l.Allow(b.Context(), r); err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}
	allow()
	counter.Reset()
	b.ReportAllocs()
	for b.Loop() {
		allow()
	}
	if n := counter.Count(""); n != b.N {
		b.Fatalf("%d requests for %d admissions", n, b.N)
	}
	b.ReportMetric(1, "requests/op")
}

// BenchmarkUpdateItem is what the same costs with the SDK alone: one conditional update of a record of that size.
func BenchmarkUpdateItem(b *testing.B) {
	name, o := dynamotest.Table(b)
	injector := dynamotest.NewInjector(b, nil)
	c := dynamodb.NewFromConfig(*injector.Options(o).Config, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum, o.Retryer = true, aws.NopRetryer{}
	})
	num := func(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		_, err := c.UpdateItem(b.Context(), &dynamodb.UpdateItemInput{
			TableName: &name,
			Key: map[string]types.AttributeValue{
				"PK": &types.AttributeValueMemberS{Value: "default/b|e|user-1|gpt-4"}, "SK": &types.AttributeValueMemberS{Value: "bucket"},
			},
			UpdateExpression: aws.String("SET #l=:l,#a=:a,#n=:n,#p=:p,#x=:x ADD #v :o,#q :o,#t0 :t,#u0 :o,#t1 :t,#u1 :u"),
			ConditionExpression: aws.String("#n<>:n AND (attribute_not_exists(#l) OR #l=:l) AND (attribute_not_exists(#p) OR #p<=:p)" +
				" AND (attribute_not_exists(#t0) OR #t0<=:y) AND (attribute_not_exists(#t1) OR #t1<=:y)"),
			ExpressionAttributeNames: map[string]string{
				"#l": "l", "#a": "a", "#n": "n", "#p": "p", "#x": "ttl", "#v": "v", "#q": "q", "#t0": "t0", "#u0": "u0", "#t1": "t1", "#u1": "u1",
			},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":l": &types.AttributeValueMemberB{Value: []byte("0123456789012345678901234567890123456789")},
				":a": num("4000000000000000000"), ":n": num(strconv.Itoa(1e17 + n)), ":p": num("4000000000000000000"), ":x": num("4000000000"),
				":o": num("1"), ":t": num("60000000000"), ":u": num("500"), ":y": num("4000000000000000000000000000000"),
			},
			ReturnValues:                        types.ReturnValueAllNew,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
