package limitset

import "fmt"

// TooManyError reports a conversion that would leave a bucket with more than schema.MaxLimits limits.
type TooManyError struct{ N int }

// Error says how many there would be.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("engine: a bucket would have %d limits", e.N)
}
