package stack

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

// A change lists the properties that change, each once, and other attributes by their names.
func TestChangeOf(t *testing.T) {
	detail := func(attribute types.ResourceAttribute, name *string) types.ResourceChangeDetail {
		return types.ResourceChangeDetail{Target: &types.ResourceTargetDefinition{Attribute: attribute, Name: name}}
	}
	got := changeOf(&types.ResourceChange{
		Action: types.ChangeActionModify, LogicalResourceId: aws.String("Aggregator"), ResourceType: aws.String("AWS::Lambda::Function"),
		PhysicalResourceId: aws.String("app-aggregator"), Replacement: types.ReplacementFalse,
		Details: []types.ResourceChangeDetail{
			detail(types.ResourceAttributeTags, nil), detail(types.ResourceAttributeProperties, aws.String("Timeout")),
			detail(types.ResourceAttributeProperties, aws.String("Timeout")),
			{},
			detail(types.ResourceAttributeProperties, aws.String("Code")),
		},
	})
	want := Change{Action: "Modify", Resource: "Aggregator", Type: "AWS::Lambda::Function", ID: "app-aggregator", Replacement: "False", Properties: []string{"Code", "Tags", "Timeout"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Errors have the plain reason and the matching advice.
func TestAdvice(t *testing.T) {
	for _, c := range []struct{ kind, reason, want string }{
		{"AWS::IAM::ManagedPolicy", `Resource handler returned message: "A policy called app-acq already exists. (Service: Iam, Status Code: 409, Request ID: 1) (SDK Attempt Count: 1)" (RequestToken: 2, HandlerErrorCode: AlreadyExists)`, "A policy called app-acq already exists; policy names are unique"},
		{"AWS::Logs::LogGroup", `Resource handler returned message: "null" (RequestToken: 2, HandlerErrorCode: AlreadyExists)`, "null; delete the existing resource"},
		{"AWS::SQS::Queue", "Resource handler returned message: \"User: u is not\nauthorized to perform: sqs:CreateQueue\" (RequestToken: 2, HandlerErrorCode: AccessDenied)", "User: u is not authorized to perform: sqs:CreateQueue; grant the deploying"},
		{"AWS::Lambda::Function", "Code storage limit exceeded.", "Code storage limit exceeded; request a higher quota"},
		{"AWS::DynamoDB::Table", "Something else.", "Something else; fix the cause, then deploy again"},
	} {
		err := (&FailedError{Stack: app, Status: "ROLLBACK_COMPLETE", Resource: "R", Type: c.kind, Reason: c.reason}).withAdvice()
		if !strings.HasPrefix(err.Error(), "stack: app was not created (ROLLBACK_COMPLETE): R ("+c.kind+"): "+c.want) {
			t.Error(err)
		}
	}
	for status, want := range map[string]string{"ROLLBACK_FAILED": "app is in ROLLBACK_FAILED: ", "DELETE_FAILED": "app was not deleted: "} {
		if err := (&FailedError{Stack: app, Status: status, Reason: "x"}).withAdvice(); !strings.Contains(err.Error(), want) || errors.Unwrap(err) != nil {
			t.Error(err)
		}
	}
}

// A deployment whose table or bucket is gone is an error, and its advice keeps the other one.
func TestDataGone(t *testing.T) {
	for _, gone := range []string{tableKind, bucketKind} {
		w := newWorld(t, nil)
		bucket := w.mustEnsure(with()).Info.Bucket
		w.put(bucket, "audit/1", "audit/2")
		left := tableKind
		if gone == tableKind {
			left = bucketKind
			w.dropTable()
		} else if err := w.session(Options{}).deleteBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		o := with(func(o *Options) { o.Code = codeFor("x86_64") })
		if _, err := w.ensure(o); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "zae-limiter delete --name app --keep-data") {
			t.Errorf("%s: %v", gone, err)
		}
		w.mustDelete(DeleteOptions{KeepData: true})
		if r := w.mustEnsure(o); r.Action != Adopted || !r.Info.Aggregator || !r.Info.Available || left == bucketKind && len(w.Objects(bucket)) < 2 {
			t.Errorf("%s: %+v", gone, r)
		}
	}
}

// The cause is the first resource that failed by itself; the stack's own reason counts if there is none.
func TestCause(t *testing.T) {
	st := &state{id: "arn", status: types.StackStatusRollbackComplete, reason: "the last word"}
	own := Event{Resource: app, ID: "arn", Status: "ROLLBACK_FAILED", Reason: "the stack's word"}
	cancelled := Event{Resource: "A", Status: "CREATE_FAILED", Reason: "Resource creation cancelled"}
	failed := Event{Resource: "B", Status: "CREATE_FAILED", Reason: "because"}
	later := Event{Resource: "C", Status: "DELETE_FAILED", Reason: "therefore"}
	for _, c := range []struct {
		events           []Event
		resource, reason string
	}{
		{[]Event{cancelled, own, failed, later}, "B", "because"},
		{[]Event{cancelled, own}, "", "the stack's word"},
		{[]Event{cancelled}, "", "the last word"},
	} {
		s := &session{name: app, events: c.events}
		var e *FailedError
		if err := s.failed(st); !errors.As(err, &e) || e.Resource != c.resource || e.Reason != c.reason {
			t.Errorf("%v: %v", c.events, err)
		}
	}
}
