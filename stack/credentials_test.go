package stack

import (
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig/awsconfigtest"
)

// TestNoCredentials checks that the error for missing credentials says why and what to do, and that an error while fetching them
// does not count as an error of CloudFormation.
func TestNoCredentials(t *testing.T) {
	for _, x := range awsconfigtest.Failures() {
		t.Run(x.Name, func(t *testing.T) {
			ctx := x.Set(t)
			_, err := Get(ctx, "app", nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range x.Says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if name, message := awsError(err); name != "" || strings.Contains(err.Error(), "operation error") {
				t.Errorf("%q is taken for %s: %s", err, name, message)
			}
		})
	}
}
