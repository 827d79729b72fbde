package stack

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// What CloudFormation and S3 say is mostly in texts.

// code is "" for an answer that was given to whoever fetched the credentials: the service itself was not asked.
func code(err error) (code, message string) {
	var answer smithy.APIError
	if errors.As(err, &answer) && !errors.As(err, new(*awsconfig.Error)) {
		return answer.ErrorCode(), answer.ErrorMessage()
	}
	return "", ""
}

// said is what a service said, without what the SDK says about it; or why it was not asked.
func said(err error) string {
	if none := (*awsconfig.Error)(nil); errors.As(err, &none) {
		return none.Error()
	}
	if name, message := code(err); name != "" {
		return name + ": " + plain(message)
	}
	return plain(err.Error())
}

// isAbsent reports that CloudFormation knows no stack of that name.
func isAbsent(err error) bool {
	_, message := code(err)
	return strings.Contains(message, "does not exist")
}

func isUnchanged(err error) bool {
	_, message := code(err)
	return saysUnchanged(message)
}

// saysUnchanged reads the texts with which CloudFormation tells that there is nothing to do.
func saysUnchanged(text string) bool {
	return strings.Contains(text, "didn't contain changes") || strings.Contains(text, "No updates are to be performed")
}

// isBusy reports that somebody else came between: is at work, or was, so that a change set is gone or out of date.
func isBusy(err error) bool {
	name, message := code(err)
	switch strings.TrimSuffix(name, "Exception") {
	case "OperationInProgress", "AlreadyExists", "ChangeSetNotFound", "InvalidChangeSetStatus":
		return true
	}
	return strings.Contains(message, "_IN_PROGRESS state")
}

// isDenied reports that the credentials may not make the call. S3 answers HEAD without a body, so that its code is the
// HTTP status in words.
func isDenied(err error) bool {
	switch name, _ := code(err); name {
	case "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation":
		return true
	}
	return false
}

func isThrottled(err error) bool {
	switch name, _ := code(err); name {
	case "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException":
		return true
	}
	return false
}

// isPassing reports a fault that may pass: no answer, one that broke off, or one of a server that does not feel well.
func isPassing(err error) bool {
	var status *smithyhttp.ResponseError
	if errors.As(err, &status) {
		broken := status.HTTPStatusCode() < http.StatusMultipleChoices
		return broken || status.HTTPStatusCode() >= http.StatusInternalServerError
	}
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent)
}

// isTorn reports an answer that began well and broke off.
func isTorn(err error) bool {
	var undecoded *smithy.DeserializationError
	var network net.Error
	return errors.As(err, &undecoded) && (errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF))
}

func partitionOf(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 1 {
		return parts[1]
	}
	return "aws"
}
