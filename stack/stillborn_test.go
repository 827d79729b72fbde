package stack

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

const noRight = `Resource handler returned message: "User: u is not authorized to perform: iam:CreateRole (Service: Iam, Status Code: 403, Request ID: 1)" (RequestToken: 2, HandlerErrorCode: AccessDenied)`

// stillborn makes a first deployment fail with a table that is protected from deletion, so that the rollback cannot delete it.
func stillborn(t *testing.T) *world {
	t.Helper()
	w, on := newWorld(t, nil), true
	w.Fail("create", "AggregatorRole", noRight)
	_, err := w.ensure(with(func(o *Options) { o.DeletionProtection = &on }))
	mustFail(t, err, "AggregatorRole", "grant the deploying credentials")
	if w.Stack(app).Status != "ROLLBACK_FAILED" || !w.Exists(tableKind, app) {
		t.Fatalf("%+v", w.Stack(app))
	}
	return w
}

// Ensure deletes everything that a failed first deployment has created, and starts over.
func TestStillborn(t *testing.T) {
	w := stillborn(t)
	r := w.mustEnsure(with())
	if r.Action != Created || r.Info.DeletionProtection || w.schema(app) != (schemaRecord{"1", app}) {
		t.Errorf("%+v\n%s", r, w.story())
	}
	w.mustDelete(DeleteOptions{})
}

// An interrupted cleanup can be continued: the stack, which shows what the failed deployment has created, goes last.
func TestStillbornInterrupted(t *testing.T) {
	w := stillborn(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := w.session(with())
	s.o.Progress = func(e Event) {
		if e.Status == "DELETE_COMPLETE" && e.Resource == app {
			cancel()
		}
	}
	if _, err := s.ensure(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if r := w.mustEnsure(with()); r.Action != Created {
		t.Errorf("%+v", r)
	}
}

// Delete deletes everything as well, or returns what prevents it.
func TestStillbornDeleted(t *testing.T) {
	w := stillborn(t)
	if err := w.delete(DeleteOptions{}); !errors.Is(err, ErrProtected) {
		t.Error(err)
	}
	w.mustDelete(DeleteOptions{Force: true})
	if w.Exists(tableKind, app) || w.Exists(bucketKind, bucketName(stacktest.Account, stacktest.Region, app)) {
		t.Error("something is left")
	}
	// The next deletion completes one that did not wait.
	w = stillborn(t)
	for _, noWait := range []bool{true, false} {
		s := w.session(Options{NoWait: noWait})
		if err := s.delete(t.Context(), DeleteOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	if w.Exists(tableKind, app) {
		t.Error("the table is left")
	}
}

// A table with records is not deleted, nor is one that was created after the failed creation.
func TestStillbornKeepsData(t *testing.T) {
	w := stillborn(t)
	w.record(app, "1", "")
	if _, err := w.ensure(with()); !errors.Is(err, ErrForeign) || !w.Exists(tableKind, app) {
		t.Error(err)
	}
	w = newWorld(t, nil)
	w.Fail("create", "AggregatorRole", noRight)
	_, err := w.ensure(with())
	mustFail(t, err, "ROLLBACK_COMPLETE")
	w.KeepTable(app, nil) // by another tool
	w.record(app, "1", "")
	w.mustDelete(DeleteOptions{Force: true})
	if !w.Exists(tableKind, app) || !w.has(app, "does not belong to this stack and is not deleted") {
		t.Errorf("somebody else's table is gone, or nothing was said\n%s", w.story())
	}
	if err := w.delete(DeleteOptions{Force: true}); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "nothing was deleted") {
		t.Error(err)
	}
}

// Resources that are abandoned with Force are reported.
func TestForceNamesWhatIsLeft(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Fail("delete", "AggregatorDLQ", "the queue is in use")
	w.mustDelete(DeleteOptions{Force: true})
	if !w.has(app, "cannot delete these resources, delete them yourself: AggregatorDLQ (AWS::SQS::Queue) https://sqs.") {
		t.Error(w.story())
	}
}

const (
	queueGone = `Resource handler returned message: "You must wait 60 seconds after deleting a queue before you can create another with the same name. (Service: Sqs, Status Code: 400, Request ID: 1)" (RequestToken: 2, HandlerErrorCode: Throttling)`
	queueCode = "AWS.SimpleQueueService.QueueDeletedRecently"
	bucket409 = `Resource handler returned message: "A conflicting conditional operation is currently in progress against this resource. Please try again. (Service: S3, Status Code: 409, Request ID: 1)" (RequestToken: 2, HandlerErrorCode: ResourceConflict)`
	bucketOwn = "BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded and you already own it."
)

// Transient causes are reported, waited for with the caller's clock, and retried.
func TestPassing(t *testing.T) {
	for _, c := range []struct {
		resource, reason, says string
		atLeast                time.Duration
	}{
		{"AggregatorDLQ", queueGone, "SQS does not create a queue within 60 s", time.Minute},
		{"AggregatorDLQ", queueCode, "SQS does not create a queue within 60 s", time.Minute},
		{"ArchiveBucket", bucket409, "deletion of a bucket", 30 * time.Second},
		{"ArchiveBucket", bucketOwn, "deletion of a bucket", 30 * time.Second},
	} {
		w := newWorld(t, nil)
		w.Fail("create", c.resource, c.reason)
		start := w.Clock.Now()
		r := w.mustEnsure(with())
		if r.Action != Created || w.Clock.Now().Sub(start) < c.atLeast || !w.has(app, c.says) || !w.has(app, c.resource+" failed, but the cause is temporary") {
			t.Errorf("%+v\n%s", r, w.story())
		}
	}
	// Turn the aggregator off and on again.
	w, on, off := newWorld(t, nil), true, false
	w.mustEnsure(with())
	w.mustEnsure(with(func(o *Options) { o.Aggregator = &off }))
	w.Fail("create", "AggregatorDLQ", queueGone)
	if r := w.mustEnsure(with(func(o *Options) { o.Aggregator = &on })); r.Action != Updated || !r.Info.Aggregator {
		t.Errorf("%+v", r)
	}
}

// A transient cause that persists ends with advice after some retries.
func TestPassingEnds(t *testing.T) {
	w := newWorld(t, nil)
	w.On("CreateChangeSet", func(int) { w.Fail("create", "AggregatorDLQ", queueGone) })
	_, err := w.ensure(with())
	mustFail(t, err, "SQS does not create a queue within 60 s", "deploy again in some minutes")
	if n := w.Counts()["ExecuteChangeSet"]; n != maxRetries+1 {
		t.Errorf("tried %d times", n)
	}
}

// The deletion of a bucket and an upload are retried if they conflict with another operation on the bucket.
func TestPassingCalls(t *testing.T) {
	conflict := &stacktest.Answer{Status: 409, Code: "OperationAborted", Message: "A conflicting conditional operation is currently in progress against this resource. Please try again."}
	w := newWorld(t, nil)
	w.Answer("s3:PUT", conflict)
	bucket := w.mustEnsure(with()).Info.Bucket
	w.Answer("s3:DELETE", conflict, conflict)
	w.mustDelete(DeleteOptions{})
	if w.Exists(bucketKind, bucket) || !w.has(app, "retrying in 30 s") {
		t.Error(w.story())
	}
}

// Without s3:ListBucket, S3 does not say whether an object exists: the code is uploaded all the same, and this is reported.
func TestUploadUnseen(t *testing.T) {
	forbidden := &stacktest.Answer{Status: 403, Code: "Forbidden", Message: "Forbidden"}
	w := newWorld(t, nil)
	w.Answer("s3:HEAD", nil, forbidden)
	r := w.mustEnsure(with())
	if !r.Info.Aggregator || len(w.Objects(r.Info.Bucket)) != 1 || !w.has(app, "s3:ListBucket or s3:GetObject on "+r.Info.Bucket+" is not allowed") {
		t.Errorf("%+v\n%s", r, w.story())
	}
	// Existing code is not overwritten.
	w.Answer("s3:HEAD", forbidden)
	before := w.Counts()["s3:PUT"]
	if r := w.mustEnsure(with(func(o *Options) { o.LambdaMemory = 512 })); !r.Info.Aggregator || w.Counts()["s3:PUT"] != before+1 {
		t.Errorf("%+v", r)
	}
	// The error names a required permission.
	w = newWorld(t, nil)
	w.Answer("s3:HEAD", nil, forbidden)
	w.Answer("s3:PUT", stacktest.AccessDenied)
	if _, err := w.ensure(with()); err == nil || !strings.Contains(err.Error(), "s3:PutObject on lambda/*") {
		t.Error(err)
	}
	w = newWorld(t, nil)
	w.Answer("s3:HEAD", forbidden)
	if _, err := w.ensure(with()); err == nil || !strings.Contains(err.Error(), "s3:ListBucket") {
		t.Error(err)
	}
}

// A table that is being updated counts as available.
func TestUpdatingIsAvailable(t *testing.T) {
	w := newWorld(t, nil)
	config := w.Config()
	for status, want := range map[string]bool{"ACTIVE": true, "UPDATING": true, "CREATING": false, "INACCESSIBLE_ENCRYPTION_CREDENTIALS": false} {
		w.KeepTable(app, map[string]any{"TableStatus": status})
		w.record(app, "1", "")
		if i, err := GetTable(t.Context(), app, &Options{Config: &config}); err != nil || i.Available != want || i.TableStatus != status {
			t.Errorf("%s: %+v, %v", status, i, err)
		}
	}
}
