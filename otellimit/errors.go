package otellimit

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
)

var errMaxSeries = errors.New("otellimit: invalid Options.MaxSeries: it is negative: set at least 1, or 0 for the default")

// errorTypes are values of error.type, the first that matches. An error of unknown outcome or a lack of the store may wrap
// the end of a context.
var errorTypes = []struct {
	err  error
	name string
}{
	{backend.ErrOutcomeUnknown, "outcome_unknown"},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "timeout"},
	{backend.ErrContention, "contention"},
	{backend.ErrRejected, "rejected"},
	{backend.ErrUnavailable, "unavailable"},
}

// errorType returns the value of error.type, "" if err is nil.
func errorType(err error) string {
	if err == nil {
		return ""
	}
	for _, t := range errorTypes {
		if errors.Is(err, t.err) {
			return t.name
		}
	}
	return "_OTHER" // as OpenTelemetry's conventions name it
}
