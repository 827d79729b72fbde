package dynamotest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// once is an SDK client that sends each request once.
func once(o *dynamo.Options) *dynamodb.Client {
	return dynamodb.NewFromConfig(*o.Config, func(d *dynamodb.Options) {
		d.Retryer, d.DisableValidateResponseChecksum = aws.NopRetryer{}, true
	})
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// add adds 1 to the number of a record.
func add(ctx context.Context, c *dynamodb.Client, table, key string) error {
	_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: map[string]types.AttributeValue{"PK": text(key), "SK": text(key)},
		UpdateExpression:          aws.String("ADD n :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	})
	return err
}

// sum is the number of a record, 0 where there is none.
func sum(t *testing.T, c *dynamodb.Client, table, key string) int {
	t.Helper()
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &table, ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{"PK": text(key), "SK": text(key)},
	})
	if err != nil {
		t.Fatal(err)
	}
	number, ok := out.Item["n"].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(number.Value)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestProxy(t *testing.T) {
	t.Parallel()
	table, o := Table(t)
	released := make(chan struct{})
	fates := []struct {
		name    string
		fate    *Fate
		fails   bool
		applied int
	}{
		{"passes", nil, false, 1},
		{"drops the reply", DropReply, true, 1},
		{"drops the request", DropRequest, true, 0},
		{"fails the reply", FailReply, true, 1},
		{"answers without applying", &Fate{Lost: true, Answer: TransactionConflict}, true, 0},
		{"holds the reply", &Fate{Until: released}, false, 1},
		{"delays the reply", &Fate{Delay: time.Millisecond}, false, 1},
	}
	p := NewProxy(t, o.Endpoint, func(n int, operation string) *Fate {
		if operation != "UpdateItem" {
			t.Errorf("operation %q", operation)
		}
		return fates[n-1].fate
	})
	direct, spoiled := once(o), once(p.Options(o))
	for i, c := range fates {
		if c.fate != nil && c.fate.Until != nil {
			go func() { // once it has taken effect, while the reply is held back
				for sum(t, direct, table, c.name) == 0 {
				}
				close(released)
			}()
		}
		err := add(t.Context(), spoiled, table, c.name)
		if (err != nil) != c.fails || sum(t, direct, table, c.name) != c.applied || p.Count("UpdateItem") != i+1 {
			t.Errorf("%s: %v, applied %d, counted %v", c.name, err, sum(t, direct, table, c.name), p.Counts())
		}
	}
	if p.Count("") != len(fates) || p.Spoiled() != len(fates)-1 {
		t.Errorf("%d requests, %d spoiled", p.Count(""), p.Spoiled())
	}
	if p.Reset(); p.Count("")+p.Spoiled() != 0 {
		t.Error("Reset does not")
	}
}

// TestProxyClientGone has the client give up while the reply is held back: what it asked for has taken effect.
func TestProxyClientGone(t *testing.T) {
	t.Parallel()
	table, o := Table(t)
	p := NewProxy(t, o.Endpoint, func(int, string) *Fate { return &Fate{Delay: time.Hour} })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for sum(t, once(o), table, "k") == 0 {
		}
		cancel()
	}()
	if err := add(ctx, once(p.Options(o)), table, "k"); !errors.Is(err, context.Canceled) || sum(t, once(o), table, "k") != 1 {
		t.Error(err)
	}
}

// TestAnswers wants each answer understood by the SDK as what it is.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		answer *Answer
		as     any
	}{
		"InternalServerError":                      {InternalServerError, new(*types.InternalServerError)},
		"TransactionConflictException":             {TransactionConflict, new(*types.TransactionConflictException)},
		"TransactionInProgressException":           {TransactionInProgress, new(*types.TransactionInProgressException)},
		"ReplicatedWriteConflictException":         {ReplicatedWriteConflict, new(*types.ReplicatedWriteConflictException)},
		"LimitExceededException":                   {LimitExceeded, new(*types.LimitExceededException)},
		"ItemCollectionSizeLimitExceededException": {ItemCollectionSizeLimitExceeded, new(*types.ItemCollectionSizeLimitExceededException)},
		"ExpiredTokenException":                    {ExpiredToken, nil},
		"UnrecognizedClientException":              {UnrecognizedClient, nil},
		"AccessDeniedException":                    {AccessDenied, nil},
		"ProvisionedThroughputExceededException":   {ProvisionedThroughputExceeded(KeyRange), new(*types.ProvisionedThroughputExceededException)},
		"ThrottlingException":                      {Throttling(KeyRange), new(*types.ThrottlingException)},
		"RequestLimitExceeded":                     {RequestLimitExceeded(KeyRange), new(*types.RequestLimitExceeded)},
		"TransactionCanceledException":             {TransactionCanceled("None", "TransactionConflict"), new(*types.TransactionCanceledException)},
	} {
		i := NewInjector(t, func(int, string) *Answer { return c.answer })
		err := add(t.Context(), once(i.Options(nowhere())), "table", "k")
		var answer smithy.APIError
		if !errors.As(err, &answer) || answer.ErrorCode() != code || c.as != nil && !errors.As(err, c.as) || i.Spoiled() != 1 {
			t.Errorf("%s: %v", code, err)
		}
		var reasons []types.ThrottlingReason
		switch as := c.as.(type) {
		case **types.ProvisionedThroughputExceededException:
			reasons = (*as).ThrottlingReasons
		case **types.ThrottlingException:
			reasons = (*as).ThrottlingReasons
		case **types.RequestLimitExceeded:
			reasons = (*as).ThrottlingReasons
		case **types.TransactionCanceledException:
			for n, want := range []string{"None", "TransactionConflict"} {
				if len((*as).CancellationReasons) != 2 || aws.ToString((*as).CancellationReasons[n].Code) != want {
					t.Errorf("reasons %+v", (*as).CancellationReasons)
				}
			}
			continue
		default:
			continue
		}
		if len(reasons) != 1 || aws.ToString(reasons[0].Reason) != KeyRange || aws.ToString(reasons[0].Resource) == "" {
			t.Errorf("%s: reasons %+v", code, reasons)
		}
	}
	i := NewInjector(t, func(int, string) *Answer { return Unavailable })
	if err := add(t.Context(), once(i.Options(nowhere())), "table", "k"); err == nil {
		t.Error("503 is a success")
	}
}

// nowhere is where nothing listens: who answers there has not sent the request.
func nowhere() *dynamo.Options {
	s := Server{Endpoint: "http://127.0.0.1:1"}
	config := s.Config()
	return &dynamo.Options{Endpoint: s.Endpoint, Config: &config}
}

func TestInjector(t *testing.T) {
	t.Parallel()
	table, o := Table(t)
	i := NewInjector(t, func(n int, operation string) *Answer {
		if operation == "UpdateItem" && n == 2 {
			return Throttling(AccountLimit)
		}
		return nil
	})
	c := once(i.Options(o))
	for n := 1; n <= 3; n++ {
		if err := add(t.Context(), c, table, "k"); (err != nil) != (n == 2) {
			t.Errorf("request %d: %v", n, err)
		}
	}
	if got := sum(t, c, table, "k"); got != 2 || i.Count("UpdateItem") != 3 || i.Count("GetItem") != 1 || i.Spoiled() != 1 {
		t.Errorf("applied %d, counted %v", got, i.Counts())
	}
	if counting := NewInjector(t, nil); add(t.Context(), once(counting.Options(o)), table, "k") != nil || counting.Count("") != 1 {
		t.Errorf("counted %v", counting.Counts())
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	table, o := Table(t)
	direct := once(o)
	for name, c := range map[string]struct {
		spoil   func(*Network)
		patient bool // whether an answer comes at last
		applied bool
	}{
		"latency": {func(n *Network) { n.Latency(200 * time.Millisecond) }, true, true},
		"reset":   {func(n *Network) { n.Reset(0) }, false, false}, // perhaps applied: see below
		"silence": {(*Network).Silence, false, true},
		"limit":   {func(n *Network) { n.Limit(40) }, false, true},
	} {
		n := NewNetwork(t, o.Endpoint)
		client := once(n.Options(o))
		if err := add(t.Context(), client, table, name); err != nil {
			t.Fatalf("a good network: %v", err)
		}
		c.spoil(n)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := add(ctx, client, table, name)
		cancel()
		if (err == nil) != c.patient || c.applied && sum(t, direct, table, name) != 2 {
			t.Errorf("%s: %v, applied %d", name, err, sum(t, direct, table, name))
		}
		n.Heal()
		for tries := 1; add(t.Context(), client, table, name) != nil; tries++ { // connections that were there may be dead
			if tries == 5 {
				t.Errorf("%s does not heal", name)
				break
			}
		}
	}
}

// TestKillUnderLoad kills an emulator in the middle of many writes: what was acknowledged is there afterwards, and at
// most one more of each writer, whose reply was lost.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	s := Start(t, &Options{OnDisk: true})
	table, o := s.Table(t)
	const writers = 4
	var (
		all          sync.WaitGroup
		acknowledged [writers]int
		enough       = make(chan struct{}, 1000)
	)
	for w := range writers {
		all.Go(func() {
			client := once(o)
			for add(t.Context(), client, table, fmt.Sprint(w)) == nil {
				acknowledged[w]++
				select {
				case enough <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 50 {
		<-enough
	}
	s.Kill(t)
	all.Wait()
	s.Restart(t)
	client := once(o)
	for w, n := range acknowledged {
		if got := sum(t, client, table, fmt.Sprint(w)); got != n && got != n+1 {
			t.Errorf("writer %d: %d acknowledged, %d there", w, n, got)
		}
	}
}
