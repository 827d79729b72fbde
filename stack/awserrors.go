package stack

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// awsError returns the code and the message of a service's error. Both are empty if the error came while fetching credentials,
// before the service was called. CloudFormation and S3 distinguish many errors only by their message.
func awsError(err error) (code, message string) {
	var answer smithy.APIError
	if errors.As(err, &answer) && !errors.As(err, new(*awsconfig.Error)) {
		return answer.ErrorCode(), answer.ErrorMessage()
	}
	return "", ""
}

// hasCode reports whether err is a service's error with one of these codes.
func hasCode(err error, codes ...string) bool {
	code, _ := awsError(err)
	return code != "" && slices.Contains(codes, code)
}

// serviceMessage returns a service's error message without the SDK's details, or why the service could not be called.
func serviceMessage(err error) string {
	if none := (*awsconfig.Error)(nil); errors.As(err, &none) {
		return none.Error()
	}
	if name, message := awsError(err); name != "" {
		return name + ": " + plainText(message)
	}
	return plainText(err.Error())
}

// isAbsent reports whether err means that the stack does not exist.
func isAbsent(err error) bool {
	_, message := awsError(err)
	return strings.Contains(message, "does not exist")
}

func isUnchanged(err error) bool {
	_, message := awsError(err)
	return meansUnchanged(message)
}

// meansUnchanged reports whether a message of CloudFormation means that there is nothing to change.
func meansUnchanged(text string) bool {
	return strings.Contains(text, "didn't contain changes") || strings.Contains(text, "No updates are to be performed")
}

// isBusy reports whether err means that somebody else is changing the stack, or has changed it so that a change set is gone
// or outdated.
func isBusy(err error) bool {
	name, message := awsError(err)
	switch strings.TrimSuffix(name, "Exception") {
	case "OperationInProgress", "AlreadyExists", "ChangeSetNotFound", "InvalidChangeSetStatus":
		return true
	}
	return strings.Contains(message, "_IN_PROGRESS state")
}

// isDenied reports whether err means that the credentials do not allow the call. S3 answers HEAD requests without a body, so
// its code is the text of the HTTP status.
func isDenied(err error) bool {
	return hasCode(err, "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation")
}

func isThrottled(err error) bool {
	return hasCode(err, "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException")
}

// isTransient reports whether err may be temporary: no response, a truncated response, or a server error.
func isTransient(err error) bool {
	var status *smithyhttp.ResponseError
	if errors.As(err, &status) {
		truncated := status.HTTPStatusCode() < http.StatusMultipleChoices
		return truncated || status.HTTPStatusCode() >= http.StatusInternalServerError
	}
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent)
}

// isTruncated reports whether err is a successful response that was cut off.
func isTruncated(err error) bool {
	var undecoded *smithy.DeserializationError
	var network net.Error
	return errors.As(err, &undecoded) && (errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF))
}
