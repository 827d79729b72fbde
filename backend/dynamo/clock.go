package dynamo

import (
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// clockAhead returns what the Date of the last reply said.
func (s *Store) clockAhead() time.Duration { return time.Duration(s.ahead.Load()) }

// dated notes by how much DynamoDB's clock is ahead of this machine's. A Date is in whole seconds, rounded down.
func (s *Store) dated(of middleware.Metadata) {
	if ahead, known := awsmiddleware.GetAttemptSkew(of); known {
		s.ahead.Store(int64(ahead + time.Second/2))
	}
}
