package dynamo

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// answered is an error as the SDK wraps what came with a status.
func answered(status int, err error) error {
	reply := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: "X", Err: &smithyhttp.ResponseError{Response: reply, Err: err}}
}

func coded(status int, code, message string) error {
	return answered(status, &smithy.GenericAPIError{Code: code, Message: message})
}

func canceled(codes ...string) error {
	e := &types.TransactionCanceledException{}
	for _, code := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: &code, Message: aws.String("said " + code)})
	}
	return answered(http.StatusBadRequest, e)
}

// TestClassify has every kind of failure in the contract's words, after a write and after a read.
func TestClassify(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	const unknown, unavailable, rejected = "unknown", "unavailable", "rejected"
	words := map[string]error{
		unknown: backend.ErrOutcomeUnknown, unavailable: backend.ErrUnavailable, rejected: backend.ErrRejected, "race": backend.ErrContention, "throttled": backend.ErrThrottled,
		"large": backend.ErrTooLarge, "invalid": backend.ErrInvalid, "none": ErrNotDeployed, "canceled": context.Canceled,
	}
	sending := func(err error) error { return &smithyhttp.RequestSendError{Err: err} }
	for _, c := range []struct {
		what        string
		err         error
		write, read string // those of words that it is, and no other
		says        string
	}{
		{"connection refused", sending(&net.OpError{Op: "dial", Err: io.EOF}), unavailable, unavailable, ""},
		{"no such host", sending(&net.DNSError{Name: "x"}), unavailable, unavailable, ""},
		{"connection lost", sending(&net.OpError{Op: "read", Err: io.EOF}), unknown, unavailable, ""},
		{"no answer", io.ErrUnexpectedEOF, unknown, unavailable, ""},
		{"an answer of a proxy", answered(400, io.EOF), unknown, unavailable, ""},
		{"too many requests", answered(429, io.EOF), unavailable, unavailable, ""},
		{"a 500", coded(500, "InternalServerError", ""), unknown, unavailable, ""},
		{"a new error", coded(400, "NewException", ""), rejected, rejected, "NewException"},
		{"no credentials", errors.New("get identity: no EC2 IMDS role found"), rejected, rejected, ""},
		{"credentials that cannot be fetched", errors.Join(errors.New("get identity"), sending(io.EOF)), unknown, unavailable, ""},
		{"no credentials, as the provider says", &awsconfig.Error{Cause: "SSO", Cure: "sign in", Err: sending(io.EOF)}, rejected, rejected, "SSO; sign in"},
		{"no answer to whoever fetches credentials", &awsconfig.Error{Cause: "STS", Cure: "wait", Waiting: true, Err: io.EOF}, unavailable, unavailable, "STS; wait"},
		{"no table", answered(400, &types.ResourceNotFoundException{}), "none rejected", "none rejected", "zae-limiter deploy --name my-app"},
		{"invalid", coded(400, "ValidationException", "reversed BETWEEN"), "invalid", "invalid", "reversed"},
		{"large item", coded(400, "ValidationException", "Item size has exceeded the maximum allowed size"), "large", "large", ""},
		{"another body under a token", coded(400, "IdempotentParameterMismatchException", ""), "invalid", "invalid", ""},
		{"hot key", answered(400, &types.ProvisionedThroughputExceededException{ThrottlingReasons: []types.ThrottlingReason{
			{Reason: aws.String("TableWriteAccountLimitExceeded")}, {Reason: aws.String("TableWriteKeyRangeThroughputExceeded")},
		}}), "throttled", unavailable, "bucket is too hot"},
		{"race of a transaction", canceled("None", "TransactionConflict"), "race", "race", "said TransactionConflict"},
		{"the gravest reason counts", canceled("ThrottlingError", "None", "TransactionConflict"), unavailable, unavailable, "said ThrottlingError"},
		{"a large item of a transaction", canceled("None", "ItemCollectionSizeLimitExceeded", "ThrottlingError"), "large", "large", ""},
		{"a reason of tomorrow", canceled("None", "NewReason"), rejected, rejected, "said NewReason"},
	} {
		for p, want := range map[purpose]string{writing: c.write, reading: c.read} {
			err := classify(t.Context(), "my-app", c.err, p)
			for word, is := range words {
				if errors.Is(err, is) != strings.Contains(" "+want+" ", " "+word+" ") {
					t.Errorf("%s: %v; %s, it should be %s", c.what, err, word, want)
				}
			}
			if !strings.Contains(err.Error(), c.says) || !errors.Is(err, c.err) {
				t.Errorf("%s: %v, which should say %q and carry the original", c.what, err, c.says)
			}
		}
	}
	lost := sending(io.EOF)
	if err := classify(over, "my-app", lost, writing); !errors.Is(err, backend.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("a write whose context ended: %v", err)
	}
	if err := classify(over, "my-app", lost, reading); errors.Is(err, backend.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a read whose context ended: %v", err)
	}
	if err := classify(over, "my-app", nil, writing); err != nil {
		t.Errorf("nothing: %v", err)
	}
}
