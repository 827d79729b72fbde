package dynamo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig/awsconfigtest"
)

// TestNoCredentials: a store that has no credentials says whose fault it is and what to do. No request was sent, so a write is
// certainly not applied; only what may pass is unavailable.
func TestNoCredentials(t *testing.T) {
	for _, x := range awsconfigtest.Failures() {
		t.Run(x.Name, func(t *testing.T) {
			ctx := x.Set(t)
			_, err := dynamo.Open(ctx, "app", nil)
			want := backend.ErrRejected
			if x.Late {
				want = context.DeadlineExceeded
			}
			if !errors.Is(err, want) || errors.Is(err, backend.ErrOutcomeUnknown) || errors.Is(err, dynamo.ErrNotDeployed) {
				t.Fatalf("%v, no %v", err, want)
			}
			for _, part := range x.Says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}
