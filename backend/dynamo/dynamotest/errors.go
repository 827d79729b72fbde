package dynamotest

import (
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

var (
	errNotAsked   = errors.New("tests on DynamoDB were not asked for: run `make test`, or set " + alltests.Variable + "=1")
	errRuledOut   = errors.New("ruled out")
	errNotSet     = errors.New("not set")
	errNotStarted = errors.New("dynamotest: this emulator cannot be restarted: use one of Start")
	errNoVersion  = errors.New("dynamotest: Docker has one version and no folder: use Java")
)

// failure is the reason why one way to a DynamoDB did not work.
type failure struct {
	way string
	err error
}

// errNone reports why there is no DynamoDB and how to get one.
type errNone []failure

// Error returns one line.
func (e errNone) Error() string {
	text := "no DynamoDB for tests"
	for _, f := range e {
		text += fmt.Sprintf("; %s: %v", f.way, f.err)
	}
	return text + ": start Docker, or run `make setup`, which installs Java and Maven, or set " +
		endpointVariable + "=http://localhost:8000 if a DynamoDB runs there"
}
