package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// ErrNotDeployed reports that no table of a limiter has this name in this region of this account. It matches
// [backend.ErrRejected].
var ErrNotDeployed = fmt.Errorf("%w: dynamo: no such deployment", backend.ErrRejected)

type class struct {
	meaning error
	codes   []string
}

// classes are the contract's errors for the codes of errors of DynamoDB and of the SDK, and of the reasons for which a
// transaction is canceled, the gravest last. Other codes are classified by their HTTP status.
var classes = []class{
	{backend.ErrContention, []string{"TransactionConflictException", "TransactionConflict", "ReplicatedWriteConflictException"}},
	{backend.ErrOutcomeUnknown, []string{"TransactionInProgressException"}},
	{backend.ErrUnavailable, []string{
		"ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded", "ThrottlingException", "ThrottlingError", "Throttling",
		"RequestLimitExceeded", "RequestLimitExceededException", "LimitExceededException", "SlowDown",
	}},
	{backend.ErrRejected, []string{"AccessDenied"}},
	{backend.ErrTooLarge, []string{"ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded"}},
	{backend.ErrInvalid, []string{
		"ValidationException", "ValidationError", "DuplicateItem", "SerializationException", "IdempotentParameterMismatchException",
	}},
}

// classOf returns the index of a code's class, or -1.
func classOf(code string) int {
	return slices.IndexFunc(classes, func(c class) bool { return slices.Contains(c.codes, code) })
}

// purpose says whether a request may write. One that only reads cannot have been applied.
type purpose uint8

const (
	reading purpose = iota
	writing
)

// classify returns the contract's error for an error of the SDK or of the network, which is reachable by errors.As. It
// returns nil for nil.
func classify(ctx context.Context, table string, err error, p purpose) error {
	if err == nil {
		return nil
	}
	var (
		missing *types.ResourceNotFoundException
		reply   *smithyhttp.ResponseError
		sending *smithyhttp.RequestSendError
		dialing *net.OpError
		lookup  *net.DNSError
	)
	if none := (*awsconfig.Error)(nil); errors.As(err, &none) {
		return unsigned(ctx, table, none)
	}
	code, more := told(err)
	class, status := classOf(code), 0
	if errors.As(err, &reply) {
		status = reply.HTTPStatusCode()
	}
	meaning := backend.ErrOutcomeUnknown // no answer, or one that cannot be understood
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%w: there is no table %s: create it with: zae-limiter deploy --name %s (or check region and account): %w",
			ErrNotDeployed, table, table, err)
	case class >= 0 && strings.Contains(err.Error()+more, "exceeded the maximum allowed size"):
		meaning = backend.ErrTooLarge
	case p == writing && strings.HasPrefix(more, tooHot):
		meaning = backend.ErrThrottled
	case class >= 0:
		meaning = classes[class].meaning
	case status >= http.StatusInternalServerError:
	case status == http.StatusTooManyRequests, errors.As(err, &lookup), errors.As(err, &dialing) && dialing.Op == "dial": // not carried out
		meaning = backend.ErrUnavailable
	case code != "", !errors.As(err, &sending) && strings.Contains(err.Error(), "get identity") && ctx.Err() == nil:
		meaning = backend.ErrRejected // access denied; missing, wrong or expired credentials; an old signature
	}
	if p == reading && errors.Is(meaning, backend.ErrOutcomeUnknown) {
		if ctx.Err() != nil {
			return fmt.Errorf("dynamo: %s: %w: %w", table, ctx.Err(), err)
		}
		meaning = backend.ErrUnavailable
	}
	if ctx.Err() != nil && errors.Is(meaning, backend.ErrOutcomeUnknown) {
		return fmt.Errorf("%w: dynamo: %s: %w: %w", meaning, table, ctx.Err(), err)
	}
	return fmt.Errorf("%w: dynamo: %s%s: %w", meaning, table, more, err)
}

// unsigned returns the error of a request without credentials, which was certainly not sent.
func unsigned(ctx context.Context, table string, none *awsconfig.Error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("dynamo: %s: %w: %w", table, ctx.Err(), none)
	case none.Waiting:
		return fmt.Errorf("%w: dynamo: %s: %w", backend.ErrUnavailable, table, none)
	}
	return fmt.Errorf("%w: dynamo: %s: %w", backend.ErrRejected, table, none)
}

// tooHot is what the error of a throttled key range says.
const tooHot = ": a single bucket is too hot (1,000 writes a second; admissions, denials and retries count)"

// told returns the code of an answer, "" if there is none, and what its text does not say: the gravest reason of a
// transaction, or why it was throttled, because a hot key and a growing table need different cures.
func told(err error) (code, more string) {
	var (
		answer      smithy.APIError
		canceled    *types.TransactionCanceledException
		provisioned *types.ProvisionedThroughputExceededException
		throttled   *types.ThrottlingException
		limited     *types.RequestLimitExceeded
		reasons     []types.ThrottlingReason
	)
	switch {
	case errors.As(err, &canceled):
		for i, r := range canceled.CancellationReasons {
			if c := aws.ToString(r.Code); i == 0 || code == "None" || classOf(c) > classOf(code) {
				code, more = c, ": "+c+" "+aws.ToString(r.Message)
			}
		}
		return code, more
	case errors.As(err, &provisioned):
		reasons = provisioned.ThrottlingReasons
	case errors.As(err, &throttled):
		reasons = throttled.ThrottlingReasons
	case errors.As(err, &limited):
		reasons = limited.ThrottlingReasons
	}
	for _, r := range reasons {
		if more = ": " + aws.ToString(r.Reason); strings.Contains(more, "KeyRange") {
			more = tooHot + more
			break
		}
	}
	if errors.As(err, &answer) {
		code = answer.ErrorCode()
		if said := answer.ErrorMessage(); strings.Contains(said, "Signature expired") || strings.Contains(said, "Signature not yet current") {
			more = ": the clocks of this machine and of DynamoDB differ by minutes: set this machine's clock by a time service"
		}
	}
	return code, more
}
