package dynamo_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// TestCheckName rejects what Open and CreateTable reject, before anything is asked of DynamoDB.
func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"abc": true, "my-app": true, "A_b.c-9": true, strings.Repeat("n", 255): true,
		"": false, "gw": false, "my app": false, "é-app": false, "app\n": false, strings.Repeat("n", 256): false,
	} {
		err := dynamo.CheckName(name)
		if good && err != nil || !good && !errors.Is(err, backend.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
		if good {
			continue
		}
		_, opened := dynamo.Open(t.Context(), name, nil)
		if created := dynamo.CreateTable(t.Context(), name, nil); opened == nil || created == nil || opened.Error() != err.Error() || created.Error() != err.Error() {
			t.Errorf("%q: Open: %v, CreateTable: %v, not %v", name, opened, created, err)
		}
	}
}
