package lambdatest

import (
	"errors"
	"fmt"
)

var (
	// ErrFunction reports an invocation that the function answered with an error.
	ErrFunction = errors.New("lambdatest: the function failed")
	// ErrExited reports that the function's program ended.
	ErrExited = errors.New("lambdatest: the function's program ended")
)

func functionFailed(text []byte) error { return fmt.Errorf("%w: %s", ErrFunction, text) }
