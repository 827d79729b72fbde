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

// Answers that any service may give.
var (
	Throttling      = &Answer{http.StatusBadRequest, "Throttling", "Rate exceeded"}
	AccessDenied    = &Answer{http.StatusForbidden, "AccessDenied", "User: arn:aws:iam::" + Account + ":user/test is not authorized to perform this action"}
	ExpiredToken    = &Answer{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
	InternalFailure = &Answer{http.StatusInternalServerError, "InternalFailure", "An internal error occurred"}
)

// invalid returns the error that CloudFormation has for nearly everything.
func invalid(format string, args ...any) *Answer {
	return &Answer{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}
