package stacktest

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Options of [Start]; nil is fine.
type Options struct {
	Pace     time.Duration // the time to create, change or delete a resource. Default: 1 s
	PageSize int           // the number of items in a page of a list. Default: 20
	DynamoDB string        // endpoint of a DynamoDB in which tables are created. Default: there is none, and few requests work
}

// AWS is an account, with all services at one endpoint, for AWS_ENDPOINT_URL. It is safe for concurrent use.
type AWS struct {
	Endpoint string // http://127.0.0.1:PORT
	Clock    *Clock

	pace     time.Duration
	pageSize int
	behind   string // endpoint of the DynamoDB behind, "" if there is none
	s3       http.Handler
	buckets  *s3mem.Backend

	lock     sync.Mutex
	now      time.Time            // of what happens
	stacks   []*stack             // the newest first
	existing map[string]*existing // by kind and name
	asked    map[string]Request   // of IAM, by its text
	faults
}

// Clock is a clock that stands still until a test advances it or sleeps by it. It is safe for concurrent use.
type Clock struct{ nanoseconds atomic.Int64 }

// Now returns the time.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanoseconds.Load()).UTC() }

// Advance sets the clock forward.
func (c *Clock) Advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// Sleep sets the clock forward and returns at once, with the context's error if it is done.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

// Start returns an empty account, which ends with the test.
func Start(t testing.TB, o *Options) *AWS {
	t.Helper()
	o = cmp.Or(o, &Options{})
	a := &AWS{
		Clock: &Clock{}, pace: cmp.Or(o.Pace, time.Second), pageSize: cmp.Or(o.PageSize, 20), behind: o.DynamoDB, buckets: s3mem.New(),
		existing: map[string]*existing{}, asked: map[string]Request{},
		faults: faults{counts: map[string]int{}, answers: map[string][]*Answer{}, hooks: map[string]func(int){}, failures: map[string]string{}},
	}
	a.Clock.Advance(time.Duration(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixNano()))
	a.s3 = gofakes3.New(a.buckets, gofakes3.WithTimeSkewLimit(0), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(a)
	a.Endpoint = server.URL
	t.Cleanup(server.Close)
	return a
}

// Config returns the configuration of SDK clients for the account. The credentials are invented.
func (a *AWS) Config() aws.Config {
	return aws.Config{
		Region: Region, BaseEndpoint: aws.String(a.Endpoint), HTTPClient: client{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// client hides WriteTo of request bodies, as the clients of package stack do: answers here come within microseconds.
type client struct{}

// Do implements [aws.HTTPClient].
func (client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return http.DefaultClient.Do(r)
}

// ServeHTTP implements [http.Handler]. Signatures name the service: AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signature := r.Header.Get("Authorization")
	isOf := func(service string) bool { return strings.Contains(signature, "/"+service+"/aws4_request") }
	switch {
	case isOf("cloudformation"), isOf("sts"):
		a.query(w, r)
	case isOf("s3"):
		a.serveS3(w, r)
	case isOf("dynamodb"):
		a.serveDynamoDB(w, r)
	default:
		http.Error(w, "stacktest: there is no service for the signature "+signature, http.StatusNotImplemented)
	}
}

// query serves a request of the query protocol, to CloudFormation or STS.
func (a *AWS) query(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // if that fails, there is no action
	c := call{r.PostForm.Get("Action"), r.PostForm}
	a.lock.Lock()
	defer a.lock.Unlock()
	answer := a.receive(c.action, queryRequests(c))
	var reply result
	s, do := a.find(c.Get("StackName")), a.actions()[c.action]
	switch {
	case answer != nil:
	case do == nil:
		answer = &Answer{http.StatusBadRequest, "InvalidAction", "Could not find operation " + c.action}
	case s == nil && !slices.Contains(stackless, c.action):
		answer = invalid("Stack [%s] does not exist", c.Get("StackName"))
	default:
		reply, answer = do(s, c)
	}
	if answer != nil {
		problem := result{"Type": "Sender", "Code": answer.Code, "Message": answer.Message}
		writeXML(w, answer.Status, "ErrorResponse", result{"Error": problem, "RequestId": "TEST"})
		return
	}
	writeXML(w, http.StatusOK, c.action+"Response", result{c.action + "Result": reply})
}

// stackless are the actions that take nil for a stack which does not exist.
var stackless = []string{"CreateChangeSet", "CreateStack", "DeleteStack", "DescribeStacks", "GetCallerIdentity"}

func (a *AWS) actions() map[string]func(*stack, call) (result, *Answer) {
	return map[string]func(*stack, call) (result, *Answer){
		"ContinueUpdateRollback": a.continueUpdateRollback, "CreateChangeSet": a.createChangeSet, "CreateStack": a.changeStack,
		"DeleteChangeSet": ofChangeSet(deleteChangeSet), "DeleteStack": a.deleteStack, "DescribeChangeSet": ofChangeSet(a.describeChangeSet),
		"DescribeEvents": ofChangeSet(a.describeEvents), "DescribeStackEvents": a.describeStackEvents, "DescribeStacks": a.describeStacks,
		"ExecuteChangeSet": ofChangeSet(a.executeChangeSet), "GetCallerIdentity": callerIdentity, "ListStackResources": a.listStackResources,
		"UpdateStack": a.changeStack, "UpdateTerminationProtection": a.updateTerminationProtection,
	}
}

func callerIdentity(*stack, call) (result, *Answer) {
	return result{"Account": Account, "Arn": "arn:aws:iam::" + Account + ":user/test"}, nil
}
