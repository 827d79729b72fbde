//go:build unix

package dynamo_test

import (
	"bytes"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

var large = []engine.Limit{engine.PerMinute("rpm", 1e12), engine.PerMinute("tpm", 1e15)}

// BenchmarkAllow is an admission of two limits on a live bucket: one request each, which it asserts.
func BenchmarkAllow(b *testing.B) {
	allow, counter := allowing(b)
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

// BenchmarkUpdateItem is what the same costs with the SDK alone: the same conditional update.
func BenchmarkUpdateItem(b *testing.B) {
	update := updating(b)
	b.ReportAllocs()
	for b.Loop() {
		update()
	}
}

// BenchmarkLatency takes turns, so that both meet the same emulator: the medians of a lease and of the SDK's update.
func BenchmarkLatency(b *testing.B) {
	acquire := acquiring(b)
	update := updating(b)
	for range 200 { // connections, the emulator's own compilation
		acquire()
		update()
	}
	var ours, floor []time.Duration
	for b.Loop() {
		start := time.Now()
		acquire()
		between := time.Now()
		update()
		ours, floor = append(ours, between.Sub(start)), append(floor, time.Since(between))
	}
	slices.Sort(ours)
	slices.Sort(floor)
	mine, sdk := ours[len(ours)/2], floor[len(floor)/2]
	b.ReportMetric(float64(mine.Microseconds()), "p50-us")
	b.ReportMetric(float64(sdk.Microseconds()), "sdk-p50-us")
	b.ReportMetric(float64(mine)/float64(sdk), "p50-ratio")
}

// BenchmarkProcessor takes turns of a few calls and compares the processor time of this process: calls per second and
// core. The ratio is the median of the pairs of turns.
func BenchmarkProcessor(b *testing.B) {
	const turn = 20
	acquire := acquiring(b)
	update := updating(b)
	spent := func(call func()) float64 {
		start := processorTime(b)
		for range turn {
			call()
		}
		return (processorTime(b) - start).Seconds()
	}
	for range 10 {
		spent(acquire)
		spent(update)
	}
	var mine, sdk, share []float64
	for n := 0; b.Loop(); n++ {
		var m, s float64
		if n%2 == 0 {
			m, s = spent(acquire), spent(update)
		} else {
			s, m = spent(update), spent(acquire)
		}
		mine, sdk, share = append(mine, turn/m), append(sdk, turn/s), append(share, s/m)
	}
	b.ReportMetric(middle(mine), "calls/core-s")
	b.ReportMetric(middle(sdk), "sdk-calls/core-s")
	b.ReportMetric(middle(share), "rate-ratio")
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// processorTime is what this process has used of the processors, the emulator not among it.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var twoLimits = engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1, "tpm": 500}, Limits: large}

// allowing gives an admission of two limits on a live bucket, and the counter of its requests.
func allowing(b *testing.B) (func(), *dynamotest.Injector) {
	l, counter := limiting(b)
	return func() {
		if d, err := l.Allow(b.Context(), twoLimits); err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}, counter
}

// acquiring gives a lease's life: acquired, and committed with nothing to adjust.
func acquiring(b *testing.B) func() {
	l, _ := limiting(b)
	return func() {
		lease, err := l.Acquire(b.Context(), twoLimits)
		if err == nil {
			err = lease.Commit(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func limiting(b *testing.B) (*engine.Limiter, *dynamotest.Injector) {
	name, o := dynamotest.Table(b)
	counter := dynamotest.NewInjector(b, nil)
	l, err := engine.New(mustOpen(b, name, counter.Options(o)), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return l, counter
}

// updating gives the update that an admission makes, sent with the SDK alone.
func updating(b *testing.B) func() {
	name, o := dynamotest.Table(b)
	injector := dynamotest.NewInjector(b, nil)
	c := dynamodb.NewFromConfig(*injector.Options(o).Config, func(o *dynamodb.Options) {
		o.DisableValidateResponseChecksum, o.Retryer = true, aws.NopRetryer{}
	})
	num := func(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }
	n := 0
	return func() {
		n++
		_, err := c.UpdateItem(b.Context(), &dynamodb.UpdateItemInput{
			TableName: &name,
			Key: map[string]types.AttributeValue{
				"PK": &types.AttributeValueMemberS{Value: "default/b|e|user-1|gpt-4"}, "SK": &types.AttributeValueMemberS{Value: "bucket"},
			},
			ConditionExpression: aws.String("(attribute_not_exists(#l) OR #l = :l) AND (attribute_not_exists(#p) OR #p <= :p) AND " +
				"(attribute_not_exists(#t0) OR #t0 <= :y0) AND (attribute_not_exists(#t1) OR #t1 <= :y1) AND #n <> :n"),
			UpdateExpression: aws.String("SET #v=if_not_exists(#v,:v)+:o,#a=:a,#t0=:t0,#t1=:t1,#n=:n,#x=:x,#l=:l ADD #u0 :o,#u1 :u,#q :o"),
			ExpressionAttributeNames: map[string]string{
				"#l": "l", "#a": "a", "#n": "n", "#p": "p", "#x": "ttl", "#v": "v", "#q": "q", "#t0": "t0", "#u0": "u0", "#t1": "t1", "#u1": "u1",
			},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":l": &types.AttributeValueMemberB{Value: bytes.Repeat([]byte("l"), 51)},
				":a": num("1795531337089906998"), ":v": num("1795531337089906997"), ":n": num(strconv.Itoa(5e18 + n)), ":p": num("0"), ":x": num("4000000000"),
				":o": num("1"), ":u": num("500"), ":t0": num("89776566854495349903"), ":t1": num("89776566854495349901500"),
				":y0": num("89776566854495349903"), ":y1": num("89776566854495349901500"),
			},
			ReturnValues:                        types.ReturnValueAllNew,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
