package stacktest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// Errors that say how to run what is skipped.
var (
	errNotAsked     = errors.New("not asked for: run `make test`, or set " + alltests.Variable + "=1")
	errNotInstalled = errors.New("run `make setup`, which installs it with Python 3.11, Node 18 and npm, or newer")
)

// Answer is an error that AWS answers a request with.
type Answer struct {
	Status        int    // of HTTP
	Code, Message string // Code as in the SDK's smithy.APIError
}

// Error returns the code and the message.
func (a *Answer) Error() string { return a.Code + ": " + a.Message }

// Answers that any service may give.
var (
	// Throttling rejects requests that are too many.
	Throttling = &Answer{http.StatusBadRequest, "Throttling", "Rate exceeded"}
	// AccessDenied rejects credentials whose policies do not allow a request.
	AccessDenied = &Answer{http.StatusForbidden, "AccessDenied", "User: arn:aws:iam::" + Account + ":user/test is not authorized to perform this action"}
	// ExpiredToken rejects temporary credentials that have expired.
	ExpiredToken = &Answer{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
	// InternalFailure reports a fault of AWS.
	InternalFailure = &Answer{http.StatusInternalServerError, "InternalFailure", "An internal error occurred"}
)

// invalid returns the error that CloudFormation has for nearly everything.
func invalid(format string, args ...any) *Answer {
	return &Answer{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}
