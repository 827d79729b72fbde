package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/zeroae/zae-limiter-go/backend"
)

// ErrNotDeployed reports a name that no table of a limiter has: not in this region of this account. It is a
// [backend.ErrRejected].
var ErrNotDeployed = fmt.Errorf("%w: dynamo: no such deployment", backend.ErrRejected)

var versionText = strconv.Itoa(schemaVersion)

func errName(name string) error {
	return fmt.Errorf("%w: dynamo: %q is no name of a table; 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'", backend.ErrInvalid, name)
}

func errEndpoint(endpoint string) error {
	return fmt.Errorf("%w: dynamo: endpoint %q is no URL; write http://localhost:8000", backend.ErrInvalid, endpoint)
}

func errRegion() error {
	return fmt.Errorf("%w: dynamo: no AWS region is set; set Options.Region, --region or AWS_REGION", backend.ErrRejected)
}

func errConfig(err error) error {
	return fmt.Errorf("%w: dynamo: the AWS configuration cannot be read: %w", backend.ErrRejected, err)
}

func errMissing(table string, err error) error {
	return fmt.Errorf("%w: there is no table %s; create it with: zae-limiter deploy --name %s (or check region and account): %w",
		ErrNotDeployed, table, table, err)
}

func errForeign(table string) error {
	return fmt.Errorf("%w: table %s has no schema record; complete it with: zae-limiter deploy --name %s (or check the name)",
		ErrNotDeployed, table, table)
}

func errVersion(table, found string) error {
	return fmt.Errorf("%w: dynamo: table %s has schema version %s, this program knows %s: use the version of zae-limiter that "+
		"deployed it, or run: zae-limiter upgrade --name %s", backend.ErrRejected, table, found, versionText, table)
}

func errLengths(writes, out int) error {
	return fmt.Errorf("%w: dynamo: %d outcomes or records for %d writes or keys", backend.ErrInvalid, out, writes)
}

func errNoLayout(k backend.Key) error {
	return fmt.Errorf("%w: dynamo: no layout is given for the record of %v", backend.ErrInvalid, k)
}

func errSize(size int) error {
	return fmt.Errorf("%w: dynamo: %d at a time, at least 1", backend.ErrInvalid, size)
}

func errPosition(after string) error {
	return fmt.Errorf("%w: dynamo: no position of a scan: %q", backend.ErrInvalid, after)
}

func errAttribute(name string, l *backend.Layout) error {
	return fmt.Errorf("%w: dynamo: the stored record has an attribute %q that layout %s does not have; was it written by a newer program?",
		backend.ErrInvalid, name, l.Name())
}

func errSum() error {
	return fmt.Errorf("%w: dynamo: a sum would have more than 38 digits", backend.ErrInvalid)
}

func errThrottled() error {
	return fmt.Errorf("%w: dynamo: the table serves none of the keys now; it is throttled", backend.ErrUnavailable)
}

func errNoStream(table string) error {
	return fmt.Errorf("%w: dynamo: table %s has no stream with both images; deploy it again with the aggregator", backend.ErrInvalid, table)
}

// purpose is what a request was for: it decides what an error without an answer means.
type purpose uint8

const (
	reading purpose = iota // nothing can have been applied
	writing
	administration
)

// meanings are the contract's words for the codes of DynamoDB's errors, and of the SDK's. Codes that are not here are told by
// their HTTP status.
var meanings = map[string]error{
	"TransactionConflictException":             backend.ErrContention,
	"ReplicatedWriteConflictException":         backend.ErrContention,
	"TransactionInProgressException":           backend.ErrOutcomeUnknown,
	"ProvisionedThroughputExceededException":   backend.ErrUnavailable,
	"ThrottlingException":                      backend.ErrUnavailable,
	"ThrottlingError":                          backend.ErrUnavailable,
	"Throttling":                               backend.ErrUnavailable,
	"RequestLimitExceeded":                     backend.ErrUnavailable,
	"RequestLimitExceededException":            backend.ErrUnavailable,
	"LimitExceededException":                   backend.ErrUnavailable,
	"SlowDown":                                 backend.ErrUnavailable,
	"ItemCollectionSizeLimitExceededException": backend.ErrTooLarge,
	"IdempotentParameterMismatchException":     backend.ErrInvalid,
	"ValidationException":                      backend.ErrInvalid,
	"ValidationError":                          backend.ErrInvalid,
	"SerializationException":                   backend.ErrInvalid,
}

// classify makes an error of the contract of whatever the SDK or the network said. The original stays reachable by
// errors.As; nil stays nil.
func classify(ctx context.Context, table string, err error, p purpose) error {
	if err == nil {
		return nil
	}
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return errMissing(table, err)
	}
	meaning, text := backend.ErrOutcomeUnknown, ""
	var (
		answer smithy.APIError
		status *smithyhttp.ResponseError
	)
	switch {
	case errors.As(err, &answer):
		meaning, text = meant(answer, err), reasons(err)
	case neverSent(err):
		meaning = backend.ErrUnavailable
	case errors.As(err, &status): // no answer, or one that makes no sense
	case unsigned(err):
		meaning = backend.ErrRejected
	}
	if p == reading && errors.Is(meaning, backend.ErrOutcomeUnknown) {
		meaning = backend.ErrUnavailable
		if ctx.Err() != nil {
			return fmt.Errorf("dynamo: %s: %w: %w", table, ctx.Err(), err)
		}
	}
	if ctx.Err() != nil && errors.Is(meaning, backend.ErrOutcomeUnknown) {
		return fmt.Errorf("%w: dynamo: %s: %w: %w", meaning, table, ctx.Err(), err)
	}
	return fmt.Errorf("%w: dynamo: %s%s: %w", meaning, table, text, err)
}

// meant is what an answer of DynamoDB means.
func meant(answer smithy.APIError, err error) error {
	if meaning, known := meanings[answer.ErrorCode()]; known {
		if errors.Is(meaning, backend.ErrInvalid) && tooLarge(answer.ErrorMessage()) {
			return backend.ErrTooLarge
		}
		return meaning
	}
	var status *smithyhttp.ResponseError
	switch {
	case !errors.As(err, &status):
		return backend.ErrRejected
	case status.HTTPStatusCode() >= http.StatusInternalServerError:
		return backend.ErrOutcomeUnknown
	case status.HTTPStatusCode() == http.StatusTooManyRequests:
		return backend.ErrUnavailable
	}
	return backend.ErrRejected // access denied, bad or expired credentials, a signature of yesterday
}

// neverSent reports whether no connection was made that the request could have gone through.
func neverSent(err error) bool {
	var (
		dial *net.OpError
		name *net.DNSError
	)
	return errors.As(err, &name) || errors.As(err, &dial) && dial.Op == "dial"
}

// unsigned reports whether the request was not even made: no credentials, for one.
func unsigned(err error) bool {
	var sent *smithyhttp.RequestSendError
	var canceled *smithy.CanceledError
	return !errors.As(err, &sent) && !errors.As(err, &canceled) && strings.Contains(err.Error(), "get identity")
}

// reasons tells why DynamoDB throttles: a hot key and a table that grows call for different cures.
func reasons(err error) string {
	var all []types.ThrottlingReason
	var (
		provisioned *types.ProvisionedThroughputExceededException
		throttled   *types.ThrottlingException
		limited     *types.RequestLimitExceeded
	)
	switch {
	case errors.As(err, &provisioned):
		all = provisioned.ThrottlingReasons
	case errors.As(err, &throttled):
		all = throttled.ThrottlingReasons
	case errors.As(err, &limited):
		all = limited.ThrottlingReasons
	}
	for _, r := range all {
		if r.Reason != nil && strings.Contains(*r.Reason, "KeyRange") {
			return ": a single bucket is too hot (1,000 writes a second; admissions, denials and retries count): " + *r.Reason
		}
		if r.Reason != nil {
			return ": " + *r.Reason
		}
	}
	return ""
}

func unavailable(err error) bool { return errors.Is(err, backend.ErrUnavailable) }

// canceledReasons are the contract's words for the reasons why a transaction was canceled, besides conditions that did
// not hold; the most final one counts most.
var canceledReasons = map[string]error{
	"ValidationError":                 backend.ErrInvalid,
	"ItemCollectionSizeLimitExceeded": backend.ErrTooLarge,
	"AccessDenied":                    backend.ErrRejected,
	"ThrottlingError":                 backend.ErrUnavailable,
	"ProvisionedThroughputExceeded":   backend.ErrUnavailable,
	"TransactionConflict":             backend.ErrContention,
	"DuplicateItem":                   backend.ErrInvalid,
}

var severity = map[string]int{
	"ValidationError": 5, "ItemCollectionSizeLimitExceeded": 5, "DuplicateItem": 5, "AccessDenied": 4,
	"ThrottlingError": 3, "ProvisionedThroughputExceeded": 3, "TransactionConflict": 2,
}

func canceledFor(table string, code, message string, err error) error {
	meaning := canceledReasons[code]
	switch {
	case meaning == nil:
		meaning = backend.ErrRejected
	case errors.Is(meaning, backend.ErrInvalid) && tooLarge(message):
		meaning = backend.ErrTooLarge
	}
	return fmt.Errorf("%w: dynamo: %s: %s %s: %w", meaning, table, code, message, err)
}

func tooLarge(message string) bool {
	return strings.Contains(message, "exceeded the maximum allowed size")
}
