package stack

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// transientCauses lists temporary causes of failures, recognized by a text in the reason, in lower case, and how long to wait.
// The texts were observed in CloudFormation's events and in responses of the services:
//
//   - SQS does not create a queue within 60 s after a queue of the same name was deleted (API reference of DeleteQueue).
//     CloudFormation forwards the text, with or without the code (hashicorp/terraform-provider-aws issue 831,
//     pulumi/pulumi-aws-native pull request 1984).
//   - S3 answers 409 OperationAborted for the name of a bucket whose deletion is not complete, which usually takes minutes
//     (aws/aws-cli issues 2411 and 2593); meanwhile, S3 may also report that this account already has the bucket.
//   - A new role, or a new queue policy, is not yet known everywhere.
var transientCauses = []struct {
	text, why string
	wait      time.Duration
}{
	{"queuedeletedrecently", whyQueue, time.Minute},
	{"60 seconds after deleting a queue", whyQueue, time.Minute},
	{"conflicting conditional operation", whyBucket, 30 * time.Second},
	{"conditionalrequestconflict", "S3 is processing another upload of the same object", 5 * time.Second},
	{"bucketalreadyownedbyyou", whyBucket, 30 * time.Second},
	{"your previous request to create the named bucket succeeded", whyBucket, 30 * time.Second},
	{"role defined for the function cannot be assumed", "Lambda does not know the new role yet", 15 * time.Second},
	{"resource in use: table", whyTable, 15 * time.Second},
	{"table is being deleted", whyTable, 15 * time.Second},
	{"updated, or deleted simultaneously", "DynamoDB is changing the maximum number of tables at once", 30 * time.Second},
}

const (
	whyQueue  = "SQS does not create a queue within 60 s after a queue of the same name was deleted"
	whyBucket = "S3 has not yet completed the deletion of a bucket of that name"
	whyTable  = "DynamoDB has not yet completed the deletion of a table of that name"
	// maxRetries bounds how often an operation is retried because of a transient cause.
	maxRetries = 6
)

// transientCause returns the transient cause of a failure and how long to wait; 0 if it is not transient.
func transientCause(reason string) (why string, wait time.Duration) {
	reason = strings.ToLower(reason)
	for _, p := range transientCauses {
		if strings.Contains(reason, p.text) {
			return p.why, p.wait
		}
	}
	return "", 0
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + " s" }

// retryTransient waits if the cause of a failure is transient, and reports whether to retry; before is the number of earlier
// retries. It does not retry after a failed rollback, which somebody has to examine.
func (s *session) retryTransient(ctx context.Context, err error, before int) (bool, error) {
	var failed *FailedError
	if !errors.As(err, &failed) || failed.retryAfter == 0 || before >= maxRetries || s.o.NoWait || failed.Status == "UPDATE_ROLLBACK_FAILED" {
		return false, err
	}
	s.report(cmp.Or(failed.Resource, s.name) + " failed, but the cause is temporary: " + failed.why + "; retrying in " + seconds(failed.retryAfter))
	if waited := s.o.Sleep(ctx, failed.retryAfter); waited != nil {
		return false, errors.Join(err, waited)
	}
	return true, nil
}

// withRetries calls S3, and retries while the cause of the failure is transient.
func (s *session) withRetries(ctx context.Context, call func() error) error {
	for before := 0; ; before++ {
		err := call()
		if err == nil {
			return nil
		}
		name, message := awsError(err)
		why, wait := transientCause(name + ": " + message)
		if wait == 0 || before >= maxRetries {
			return err
		}
		s.report(why + "; retrying in " + seconds(wait))
		if waited := s.o.Sleep(ctx, wait); waited != nil {
			return waited
		}
	}
}
