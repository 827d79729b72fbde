package lambda

import (
	"errors"
	"fmt"
)

var (
	// ErrEnvironment means that an environment variable of the function is missing or invalid.
	ErrEnvironment = errors.New("lambda: invalid environment")
	// errNoImages means that the records of the stream have no images.
	errNoImages = errors.New("lambda: stream record without images: set the view type of the table's stream to NEW_AND_OLD_IMAGES")
)

func invalidVariable(name, value, want string) error {
	return fmt.Errorf("%w: %s is %q: must be %s", ErrEnvironment, name, value, want)
}
