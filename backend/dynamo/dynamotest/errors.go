package dynamotest

import (
	"errors"
	"fmt"
)

var (
	errNotAsked   = errors.New("tests on DynamoDB were not asked for: run `make test`, or set " + allVariable + "=1")
	errRuledOut   = errors.New("ruled out")
	errNotSet     = errors.New("not set")
	errNotStarted = errors.New("dynamotest: the emulator is not of this process, so it cannot be started again")
	errNoVersion  = errors.New("dynamotest: only Java has other versions and folders")
)

// failure is why one way to a DynamoDB did not work.
type failure struct {
	way string
	err error
}

// errNone says why there is no DynamoDB, and how to get one.
type errNone []failure

// Error is one line.
func (e errNone) Error() string {
	text := "no DynamoDB for tests"
	for _, f := range e {
		text += fmt.Sprintf("; %s: %v", f.way, f.err)
	}
	return text + ". Any of these cures it: start Docker; run `make setup`, which installs Java and Maven; " +
		endpointVariable + "=http://localhost:8000 for one that runs"
}
