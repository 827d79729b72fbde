package lambda

import (
	"errors"
	"fmt"
)

var (
	// ErrEnvironment reports a variable of the function's environment that is missing or makes no sense.
	ErrEnvironment = errors.New("lambda: bad environment")
	// errNoImages reports a stream that does not show what records were and are.
	errNoImages = errors.New("lambda: a stream record without images; the table's stream must be of the type NEW_AND_OLD_IMAGES")
)

func badVariable(name, value, want string) error {
	return fmt.Errorf("%w: %s is %q, it must be %s", ErrEnvironment, name, value, want)
}
