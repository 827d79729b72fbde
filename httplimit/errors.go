package httplimit

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// costError is an error of Options.Cost.
type costError struct{ cause error }

func (e *costError) Error() string {
	return "httplimit: the cost of the request is unknown: " + e.cause.Error()
}

func (e *costError) Unwrap() error { return e.cause }

// forClients is the text of an error without the name of the package that returned it, which is none of a client's business.
func forClients(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "httplimit: "), "engine: ")
}

// isUnavailable reports whether the same request may be admitted when the store answers again.
func isUnavailable(err error) bool {
	return errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrContention) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// statusOf is the status of the response to a request that was not admitted.
func statusOf(err error) int {
	var (
		exceeded *engine.ExceededError
		invalid  *engine.ValidationError
		cost     *costError
	)
	switch {
	case errors.As(err, &exceeded):
		return http.StatusTooManyRequests
	case errors.As(err, &cost):
		return http.StatusBadRequest
	case errors.As(err, &invalid) && (invalid.Field == "Resource" || strings.HasPrefix(invalid.Field, "Consume")):
		return http.StatusBadRequest // what the program has read from the request
	case isUnavailable(err):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
