package charge

import (
	"errors"
	"fmt"
)

// ErrRestart makes an acquire begin again, because the configuration it began with has changed under it.
var ErrRestart = errors.New("engine: configuration changed during the acquire")

// ErrOutOfRange reports an adjustment beyond 10^16 tokens of debt, or a clock that is out of range. Package engine describes it to its
// callers.
var ErrOutOfRange = errors.New("engine: out of range")

// OutOfDebt is the error of a charge of n tokens that would lead beyond the range of debt.
func OutOfDebt(name string, n int64) error {
	return fmt.Errorf("%w: %d more tokens of %s would lead beyond 10^16 tokens of debt", ErrOutOfRange, n, name)
}
