package load

import "fmt"

// PartError reports a part that no process of a load test sends.
type PartError struct {
	Part int // index
	Err  error
}

// Error returns the reason.
func (e *PartError) Error() string { return fmt.Sprintf("load: part %d is invalid: %v", e.Part, e.Err) }

// Unwrap returns the cause.
func (e *PartError) Unwrap() error { return e.Err }
