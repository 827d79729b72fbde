package stack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

const roleExists = `Resource handler returned message: "Role with name app-aggr already exists. (Service: Iam, Status Code: 409, Request ID: 1-2)" (RequestToken: 3-4, HandlerErrorCode: AlreadyExists)`

// mustFail checks that an error is a FailedError with these texts.
func mustFail(t *testing.T, err error, parts ...string) FailedError {
	t.Helper()
	var failed *FailedError
	if !errors.As(err, &failed) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("failed with %v", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	return *failed
}

// A failed creation returns the first failure and the advice, is rolled back, and can be deployed again.
func TestCreateFails(t *testing.T) {
	w := newWorld(t, &stacktest.Options{PageSize: 3})
	w.Fail("create", "AggregatorRole", roleExists)
	_, err := w.ensure(with())
	failed := mustFail(t, err, "app was not created (ROLLBACK_COMPLETE): AggregatorRole (AWS::IAM::Role): Role with name app-aggr already exists; ", "RoleNameFormat")
	if failed.Resource != "AggregatorRole" || w.Stack(app).Status != "ROLLBACK_COMPLETE" || w.Exists("AWS::DynamoDB::Table", app) {
		t.Errorf("%+v", failed)
	}
	r := w.mustEnsure(with())
	if r.Action != Created || !w.has(app, "deleting the remains of a failed deployment") || !w.has(app, "DELETE_COMPLETE") {
		t.Errorf("%+v\n%s", r, w.story())
	}
}

// A failed update is rolled back, and the stack can be used as before.
func TestUpdateFails(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Fail("update", "Aggregator", "User: u is not authorized to perform: lambda:UpdateFunctionConfiguration")
	_, err := w.ensure(with(func(o *Options) { o.LambdaTimeout = 30 }))
	mustFail(t, err, "was not changed: the update was rolled back: Aggregator (AWS::Lambda::Function): User", "grant the deploying credentials")
	if s := w.Stack(app); s.Status != "UPDATE_ROLLBACK_COMPLETE" || s.Parameters["LambdaTimeout"] != "60" {
		t.Errorf("%+v", s)
	}
	if r := w.mustEnsure(with(func(o *Options) { o.LambdaTimeout = 30 })); r.After["LambdaTimeout"] != "30" {
		t.Errorf("%+v", r)
	}
}

// A failed rollback is continued; resources that make it fail again are skipped.
func TestRollbackFails(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Fail("update", "Aggregator", "no")
	w.Fail("roll back", "Aggregator", "stuck")
	_, err := w.ensure(with(func(o *Options) { o.LambdaTimeout = 30 }))
	mustFail(t, err, "is in UPDATE_ROLLBACK_FAILED: Aggregator (AWS::Lambda::Function): no")
	w.On("ContinueUpdateRollback", func(int) { w.Fail("roll back", "Aggregator", "stuck again") }) // until it is skipped
	r := w.mustEnsure(with(func(o *Options) { o.LambdaTimeout = 30 }))
	if r.After["LambdaTimeout"] != "30" || !w.has(app, "continuing a rollback that failed") || !w.has(app, "skipping Aggregator") {
		t.Errorf("%+v\n%s", r, w.story())
	}
}

// Only what made the rollback fail can be skipped (API reference of ContinueUpdateRollback), not what made the update fail; and
// nothing is skipped before the rollback was continued once without, even after waiting for somebody else.
func TestRollbackSkips(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Fail("update", "AggregatorErrorsAlarm", "no")
	w.Fail("roll back", "Aggregator", "stuck")
	_, err := w.ensure(with(func(o *Options) { o.LambdaTimeout, o.AlarmTopic = 30, new("arn:aws:sns:us-east-1:123456789012:bell") }))
	mustFail(t, err, "is in UPDATE_ROLLBACK_FAILED: AggregatorErrorsAlarm")
	w.On("ContinueUpdateRollback", func(n int) {
		if n <= 2 {
			w.Fail("roll back", "Aggregator", "stuck again")
		}
	})
	w.SetStatus(app, "UPDATE_ROLLBACK_IN_PROGRESS")
	w.On("DescribeStackEvents", func(int) {
		if w.Stack(app).Status == "UPDATE_ROLLBACK_IN_PROGRESS" && w.Counts()["ContinueUpdateRollback"] == 0 {
			w.SetStatus(app, "UPDATE_ROLLBACK_FAILED")
		}
	})
	w.mustEnsure(with())
	if n := w.Counts()["ContinueUpdateRollback"]; n != 2 || !w.has(app, "skipping Aggregator") || w.has(app, "skipping AggregatorErrorsAlarm") {
		t.Errorf("%d times\n%s", n, w.story())
	}
}

// The table is never skipped: the stack would not be in the state that CloudFormation assumes.
func TestRollbackSkipsNoTable(t *testing.T) {
	w, days := newWorld(t, nil), 7
	w.mustEnsure(with())
	w.Fail("update", "Aggregator", "no")
	w.On("ContinueUpdateRollback", func(int) { w.Fail("roll back", "Table", "stuck again") })
	w.Fail("roll back", "Table", "stuck")
	o := with(func(o *Options) { o.LambdaTimeout, o.PITRDays = 30, &days })
	for range 2 {
		_, err := w.ensure(o)
		mustFail(t, err, "is in UPDATE_ROLLBACK_FAILED")
	}
	if w.has(app, "skipping Table") {
		t.Error(w.story())
	}
}

// A rejected change set leaves no stack behind, even if it is rejected before any resource changes.
func TestRejected(t *testing.T) {
	w := newWorld(t, nil)
	w.Fail("propose", app, "Template error: no")
	_, err := w.ensure(with())
	if failed := mustFail(t, err, "app was not changed: Template error: no; fix the cause"); failed.Status != "FAILED" || w.Stack(app).Status != "DELETE_COMPLETE" {
		t.Errorf("%+v, and the stack is in %s", failed, w.Stack(app).Status)
	}
	w.ValidateEarly()
	w.Keep("AWS::Lambda::Function", "app-aggregator")
	_, err = w.ensure(with())
	mustFail(t, err, "Aggregator (AWS::Lambda::Function): Resource of type", "already exists; delete the existing resource") // part of the second change set
	if w.Counts()["DescribeEvents"] == 0 {
		t.Error("nobody asked for the findings")
	}
}

// Ensure waits for another update, reports it, and then makes its own change.
func TestBusy(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Busy(app, time.Minute)
	w.events = nil
	start := w.Clock.Now()
	r := w.mustEnsure(with(func(o *Options) { o.LambdaTimeout = 30 }))
	if r.Action != Updated || w.Clock.Now().Sub(start) < time.Minute || !w.has(app, "waiting for another operation, UPDATE_IN_PROGRESS") || w.has("Table", "CREATE_COMPLETE") {
		t.Errorf("%+v\n%s", r, w.story())
	}
	// Another update before the change set is created, and one before it is executed.
	for _, action := range []string{"CreateChangeSet", "ExecuteChangeSet"} {
		busy := false
		w.On(action, func(int) {
			if !busy {
				busy = true
				w.Busy(app, time.Minute)
			}
		})
		timeout := map[string]int{"CreateChangeSet": 40, "ExecuteChangeSet": 50}[action]
		r = w.mustEnsure(with(func(o *Options) { o.LambdaTimeout = timeout }))
		w.On(action, nil)
		if !busy || r.Action != Updated || w.Stack(app).Parameters["LambdaTimeout"] != r.After["LambdaTimeout"] {
			t.Errorf("%s: %+v", action, r)
		}
	}
}

// Whoever keeps changing the stack does not keep a plan for ever.
func TestAlwaysBusy(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.On("CreateChangeSet", func(int) { w.Busy(app, time.Minute) })
	before := w.Counts()["CreateChangeSet"]
	_, err := w.session(with(func(o *Options) { o.LambdaTimeout = 30 })).plan(t.Context())
	if n := w.Counts()["CreateChangeSet"] - before; !errors.Is(err, errBusy) || n > maxAttempts {
		t.Errorf("after %d change sets: %v", n, err)
	}
}

// Throttled and failed polls are retried more slowly.
func TestThrottled(t *testing.T) {
	w := newWorld(t, nil)
	var rests []time.Duration
	throttle := []*stacktest.Answer{nil, stacktest.Throttling, stacktest.Throttling, stacktest.Throttling, stacktest.Throttling, stacktest.Throttling, stacktest.InternalFailure}
	s := w.session(with())
	s.o.Sleep = func(ctx context.Context, d time.Duration) error {
		rests = append(rests, d)
		return w.Clock.Sleep(ctx, d)
	}
	w.On("ExecuteChangeSet", func(n int) {
		if n == 1 {
			rests = nil
			w.Answer("DescribeStackEvents", throttle[1:]...)
		}
	})
	if _, err := s.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 32 * time.Second, 32 * time.Second, 2 * time.Second}; !slices.Equal(rests[:len(want)], want) {
		t.Errorf("rested %v", rests[:len(want)])
	}
	if !w.has("Table", "CREATE_COMPLETE") {
		t.Error("events are missing")
	}
}

// Other errors end the wait.
func TestWaitFails(t *testing.T) {
	w := newWorld(t, nil)
	w.On("ExecuteChangeSet", func(int) { w.Answer("DescribeStackEvents", stacktest.ExpiredToken) })
	if _, err := w.ensure(with()); err == nil || !strings.Contains(err.Error(), "ExpiredToken") {
		t.Error(err)
	}
	w = newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	s := w.session(with())
	s.o.Progress = func(e Event) {
		if e.Resource == "Table" {
			cancel()
		}
	}
	_, err := s.ensure(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "CloudFormation continues") {
		t.Error(err)
	}
	if r := w.mustEnsure(with()); !r.Info.Aggregator {
		t.Errorf("%+v", r)
	}
	// Without a change set that is executed, CloudFormation continues nothing.
	ctx, cancel = context.WithCancel(t.Context())
	w.On("DescribeChangeSet", func(int) { cancel() })
	_, err = w.session(with(func(o *Options) { o.LambdaTimeout = 30 })).ensure(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "before the change set was executed") {
		t.Error(err)
	}
}

// A stack that somebody deletes during the wait is an error.
func TestVanishes(t *testing.T) {
	w := newWorld(t, nil)
	s := w.session(with())
	s.o.Progress = func(e Event) {
		if e.Resource == "Table" && e.Status == "CREATE_COMPLETE" {
			w.SetStatus(app, "DELETE_COMPLETE")
		}
	}
	if _, err := s.ensure(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	w = newWorld(t, nil)
	w.mustEnsure(with())
	w.On("CreateChangeSet", func(int) { w.SetStatus(app, "DELETE_COMPLETE") })
	if _, err := w.ensure(with()); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

// An empty stack that a change set has left counts as none.
func TestReview(t *testing.T) {
	w := newWorld(t, nil)
	w.SetStatus(app, "REVIEW_IN_PROGRESS")
	if r := w.mustEnsure(with()); r.Action != Created {
		t.Errorf("%+v", r)
	}
}

// The error for a stack whose deletion failed names the resource.
func TestDeleteFailedBefore(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Fail("delete", "AggregatorDLQ", "the queue is in use")
	mustFail(t, w.delete(DeleteOptions{}), "was not deleted: AggregatorDLQ (AWS::SQS::Queue): the queue is in use; fix the cause, then delete again, or with force")
	_, err := w.ensure(with())
	mustFail(t, err, "AggregatorDLQ (AWS::SQS::Queue): the queue is in use")
	w.mustDelete(DeleteOptions{})
}

// Stacks and tables of another tool or of a newer program are not changed.
func TestForeign(t *testing.T) {
	w := newWorld(t, nil)
	w.SetStatus(app, "CREATE_COMPLETE")
	if _, err := w.ensure(with()); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	if err := w.delete(DeleteOptions{Force: true}); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	w = newWorld(t, nil)
	w.KeepTable(app, nil)
	if _, err := w.ensure(with()); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "schema record") {
		t.Error(err)
	}
	w.KeepTable(app, map[string]any{"KeySchema": []any{map[string]any{"AttributeName": "id", "KeyType": "HASH"}}})
	if _, err := w.ensure(with(func(o *Options) { o.Adopt = true })); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "keys") {
		t.Error(err)
	}
	if err := w.delete(DeleteOptions{Force: true}); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "nothing was deleted") {
		t.Error(err)
	}
	if !w.Exists("AWS::DynamoDB::Table", app) || w.Counts()["CreateChangeSet"] > 0 {
		t.Error("somebody else's table is gone")
	}
	w = newWorld(t, nil)
	w.mustEnsure(with())
	w.record(app, "2", app)
	if _, err := w.ensure(with()); !errors.Is(err, ErrNewer) {
		t.Error(err)
	}
}

// Errors have a service's message in one line, without the SDK's details, and wrap the SDK's error.
func TestRefusedCalls(t *testing.T) {
	w := newWorld(t, nil)
	w.Answer("CreateChangeSet", stacktest.AccessDenied)
	_, err := w.ensure(with())
	var answer smithy.APIError
	if want := "stack: app: cannot create a change set: AccessDenied: User: arn:aws:iam::" + stacktest.Account + ":user/test is not authorized to perform this action"; err == nil || err.Error() != want || !errors.As(err, &answer) {
		t.Errorf("%v", err)
	}
	config := w.Config()
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") })
	if _, err = List(t.Context(), &Options{Config: &config}); err == nil || !strings.Contains(err.Error(), "set AWS_PROFILE") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	config.Region = ""
	config.BaseEndpoint = nil
	if _, err = List(t.Context(), &Options{Config: &config}); !errors.Is(err, errConfiguration) || !strings.Contains(err.Error(), "--region") {
		t.Errorf("%v", err)
	}
}

// Concurrent deployments wait for each other.
func TestTogether(t *testing.T) {
	for range 5 {
		w := newWorld(t, nil)
		var both sync.WaitGroup
		errs, results := make([]error, 2), make([]Result, 2)
		for i := range errs {
			s := w.session(with(func(o *Options) { o.Progress = func(Event) {} }))
			both.Go(func() { results[i], errs[i] = s.ensure(t.Context()) })
		}
		both.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("%+v, %v", results[i], err)
			}
		}
		if s := w.Stack(app); s.Status != "UPDATE_COMPLETE" || s.Outputs["AggregatorFunctionName"] == "" {
			t.Errorf("%+v", s)
		}
	}
}

// A change set that somebody deleted, or that is outdated, is created again.
func TestChangeSetGone(t *testing.T) {
	for _, code := range []string{"ChangeSetNotFound", "InvalidChangeSetStatus"} {
		w := newWorld(t, nil)
		w.mustEnsure(with())
		w.Answer("ExecuteChangeSet", &stacktest.Answer{Status: 400, Code: code, Message: "ChangeSet [x] cannot be executed"})
		if r := w.mustEnsure(with(func(o *Options) { o.LambdaTimeout = 30 })); r.Action != Updated || r.After["LambdaTimeout"] != "30" {
			t.Errorf("%+v", r)
		}
	}
	w := newWorld(t, nil)
	w.Answer("DescribeChangeSet", &stacktest.Answer{Status: 404, Code: "ChangeSetNotFound", Message: "ChangeSet [x] does not exist"})
	if r := w.mustEnsure(with()); r.Action != Created {
		t.Errorf("%+v", r)
	}
}
