package dynamo

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// TestLayoutsOfOneName writes by two layouts that have the same name, and other fields.
func TestLayoutsOfOneName(t *testing.T) {
	t.Parallel()
	var kept expressions
	for _, field := range []string{"a", "b"} {
		w := backend.Write{
			Layout:  backend.NewLayout("one", backend.Field{Name: field}),
			Effects: []backend.Effect{{Op: backend.Add, Num: backend.Int(1)}},
		}
		if name := kept.of(&w).names["#0"]; name != field {
			t.Errorf("the field %s is written to the attribute %s", field, name)
		}
	}
}
