package stack

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// passing are causes of failures that end by themselves, by what a reason says, in lower case, and how long that takes. The
// texts are those that CloudFormation's events and the services have been seen to give:
//
//   - SQS creates no queue within 60 s after one of its name was deleted (API reference of DeleteQueue). CloudFormation passes
//     the text on, with or without the code (hashicorp/terraform-provider-aws issue 831, pulumi/pulumi-aws-native pull
//     request 1984).
//   - S3 answers 409 OperationAborted for the name of a bucket whose deletion has not come to its end, which mostly takes
//     minutes (aws/aws-cli issues 2411 and 2593); in the meantime the name may also count as taken by this account.
//   - A role, or a queue's policy, that was made a moment ago is not known everywhere.
var passing = []struct {
	said, why string
	wait      time.Duration
}{
	{"queuedeletedrecently", whyQueue, time.Minute},
	{"60 seconds after deleting a queue", whyQueue, time.Minute},
	{"conflicting conditional operation", whyBucket, 30 * time.Second},
	{"conditionalrequestconflict", "S3 has another upload of the same object", 5 * time.Second},
	{"bucketalreadyownedbyyou", whyBucket, 30 * time.Second},
	{"your previous request to create the named bucket succeeded", whyBucket, 30 * time.Second},
	{"role defined for the function cannot be assumed", "Lambda does not know the new role yet", 15 * time.Second},
	{"resource in use: table", whyTable, 15 * time.Second},
	{"table is being deleted", whyTable, 15 * time.Second},
	{"updated, or deleted simultaneously", "DynamoDB changes as many tables as it can at a time", 30 * time.Second},
}

const (
	whyQueue  = "SQS creates no queue within 60 s after one of that name was deleted"
	whyBucket = "S3 has not yet completed the deletion of a bucket of that name"
	whyTable  = "DynamoDB has not yet completed the deletion of a table of that name"
	// mostPasses bounds how often a cause that passes is waited for.
	mostPasses = 6
)

// passingCause finds out whether a failure ends by itself, and after how long.
func passingCause(reason string) (why string, wait time.Duration) {
	reason = strings.ToLower(reason)
	for _, p := range passing {
		if strings.Contains(reason, p.said) {
			return p.why, p.wait
		}
	}
	return "", 0
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + " s" }

// outwaits waits if a failure ends by itself, and reports whether to try again; before counts the earlier times. A rollback
// that failed too is left for somebody to look at.
func (s *session) outwaits(ctx context.Context, err error, before int) (bool, error) {
	var failed *FailedError
	if !errors.As(err, &failed) || failed.passes == 0 || before >= mostPasses || s.o.NoWait || failed.Status == "UPDATE_ROLLBACK_FAILED" {
		return false, err
	}
	subject := failed.Resource
	if subject == "" {
		subject = s.name
	}
	s.say(subject + " failed for a cause that passes: " + failed.why + "; trying again in " + seconds(failed.passes))
	if waited := s.o.Sleep(ctx, failed.passes); waited != nil {
		return false, errors.Join(err, waited)
	}
	return true, nil
}

// patiently repeats a call of S3 while its cause of failure passes by itself.
func (s *session) patiently(ctx context.Context, call func() error) error {
	for before := 0; ; before++ {
		err := call()
		if err == nil {
			return nil
		}
		name, message := code(err)
		why, wait := passingCause(name + ": " + message)
		if wait == 0 || before >= mostPasses {
			return err
		}
		s.say(why + "; trying again in " + seconds(wait))
		if waited := s.o.Sleep(ctx, wait); waited != nil {
			return waited
		}
	}
}
