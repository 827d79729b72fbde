package dynamotest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// Answer is an error that DynamoDB answers a request with.
type Answer struct {
	Status int

	header http.Header
	body   []byte
}

// Errors that no emulator returns.
var (
	// InternalServerError is a 500: the request may have taken effect.
	InternalServerError = failed(http.StatusInternalServerError, "InternalServerError", "Internal server error")
	// Unavailable is a 503 without JSON, from something between the client and DynamoDB.
	Unavailable = &Answer{Status: http.StatusServiceUnavailable, body: []byte("<html>503</html>")}
	// TransactionConflict rejects a write to an item that a transaction is about to change.
	TransactionConflict = failed(http.StatusBadRequest, "TransactionConflictException", "Transaction is ongoing for the item")
	// TransactionInProgress rejects a transaction whose token belongs to one that has not ended.
	TransactionInProgress = failed(http.StatusBadRequest, "TransactionInProgressException", "The transaction with the given request token is already in progress.")
	// ReplicatedWriteConflict is an error of global tables with strong consistency.
	ReplicatedWriteConflict = failed(http.StatusBadRequest, "ReplicatedWriteConflictException", "The item is being modified by a request in another Region.")
	// ExpiredToken rejects temporary credentials that have expired.
	ExpiredToken = failed(http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired")
	// UnrecognizedClient rejects unknown credentials.
	UnrecognizedClient = failed(http.StatusBadRequest, "UnrecognizedClientException", "The security token included in the request is invalid.")
	// AccessDenied reports a policy that does not allow the request.
	AccessDenied = failed(http.StatusBadRequest, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/test is not authorized to perform this action")
	// LimitExceeded reports too many changes of tables at a time.
	LimitExceeded = failed(http.StatusBadRequest, "LimitExceededException", "Subscriber limit exceeded")
	// ItemCollectionSizeLimitExceeded reports a partition with more than 10 GB.
	ItemCollectionSizeLimitExceeded = failed(http.StatusBadRequest, "ItemCollectionSizeLimitExceededException", "Collection size exceeded.")
)

// Reasons of throttling: a hot key is one, a table that has to grow another.
const (
	KeyRange      = "TableWriteKeyRangeThroughputExceeded"
	AccountLimit  = "TableWriteAccountLimitExceeded"
	OnDemandLimit = "TableWriteMaxOnDemandThroughputExceeded"
	IndexKeyRange = "IndexWriteKeyRangeThroughputExceeded"
)

const table = "arn:aws:dynamodb:us-east-1:123456789012:table/test"

// ProvisionedThroughputExceeded rejects a request to a partition without capacity.
func ProvisionedThroughputExceeded(reasons ...string) *Answer {
	return throttled("ProvisionedThroughputExceededException", "ThrottlingReasons", reasons)
}

// Throttling rejects a request that comes too soon after others.
func Throttling(reasons ...string) *Answer {
	return throttled("ThrottlingException", "throttlingReasons", reasons)
}

// RequestLimitExceeded rejects a request of an account that has reached its quota.
func RequestLimitExceeded(reasons ...string) *Answer {
	return throttled("RequestLimitExceeded", "ThrottlingReasons", reasons)
}

// TransactionCanceled rejects a transaction, with a reason for each of its actions: "None",
// "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "ValidationError".
func TransactionCanceled(reasons ...string) *Answer {
	type reason struct {
		Code    string
		Message *string
	}
	all := []reason{}
	for _, code := range reasons {
		message := &code
		if code == "None" {
			message = nil
		}
		all = append(all, reason{code, message})
	}
	return failedWith(http.StatusBadRequest, "TransactionCanceledException", map[string]any{
		"Message": "Transaction cancelled, please refer cancellation reasons for specific reasons", "CancellationReasons": all,
	})
}

func throttled(code, field string, reasons []string) *Answer {
	all := []map[string]string{}
	for _, reason := range reasons {
		all = append(all, map[string]string{"reason": reason, "resource": table})
	}
	return failedWith(http.StatusBadRequest, code, map[string]any{"message": "Throughput exceeds the current capacity", field: all})
}

func failed(status int, code, message string) *Answer {
	return failedWith(status, code, map[string]any{"message": message})
}

func failedWith(status int, code string, fields map[string]any) *Answer {
	fields["__type"] = "com.amazonaws.dynamodb.v20120810#" + code
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // these are maps of strings
	}
	return &Answer{Status: status, body: body}
}

// write sends it.
func (a *Answer) write(w http.ResponseWriter) {
	for name, values := range a.headers() {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.body) // a client that has gone reads nothing
}

func (a *Answer) headers() http.Header {
	if a.header != nil {
		return a.header
	}
	return http.Header{
		"Content-Type": {"application/x-amz-json-1.0"}, "Content-Length": {strconv.Itoa(len(a.body))},
		"X-Amzn-Requestid": {"TEST"},
	}
}

// response returns the answer as a client receives it.
func (a *Answer) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: http.StatusText(a.Status), StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.headers(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}
