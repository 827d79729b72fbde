package stacktest

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Options of [Start]; nil is fine.
type Options struct {
	Pace     time.Duration // the time to create, change or delete a resource. Default: 1 s
	PageSize int           // the number of items in a page of a list. Default: 20
	DynamoDB string        // endpoint of a DynamoDB in which tables are created. Default: there is none, and few requests work
}

// AWS is an account with CloudFormation and what it needs. All services are at one endpoint, for AWS_ENDPOINT_URL. It is safe
// for concurrent use.
type AWS struct {
	Endpoint string // http://127.0.0.1:PORT
	Clock    *Clock

	pace     time.Duration
	pageSize int
	tables   *dynamodb.Client       // of the DynamoDB behind, nil if there is none
	proxy    *httputil.ReverseProxy // to it
	s3       http.Handler
	buckets  *s3mem.Backend

	lock     sync.Mutex
	now      time.Time // of what happens
	stacks   []*stack
	existing map[string]*existing // by kind and name
	asked    []Request            // of IAM
	faults
}

// Start returns an empty account, which ends with the test.
func Start(t testing.TB, o *Options) *AWS {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	a := &AWS{
		Clock: &Clock{}, pace: cmp.Or(o.Pace, time.Second), pageSize: cmp.Or(o.PageSize, 20), buckets: s3mem.New(), existing: map[string]*existing{},
		faults: faults{counts: map[string]int{}, answers: map[string][]*Answer{}, hooks: map[string]func(int){}, failures: map[string]string{}},
	}
	a.Clock.Advance(time.Duration(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixNano()))
	if o.DynamoDB != "" {
		a.tables = dynamodb.NewFromConfig(a.Config(), func(to *dynamodb.Options) { to.BaseEndpoint = &o.DynamoDB })
		a.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", strings.TrimPrefix(o.DynamoDB, "http://")
		}}
	}
	a.s3 = gofakes3.New(a.buckets, gofakes3.WithTimeSkewLimit(0), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(a)
	a.Endpoint = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
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

// ServeHTTP implements [http.Handler]. The service of a request is in its signature: AWS4-HMAC-SHA256
// Credential=KEY/DAY/REGION/SERVICE/aws4_request.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service := ""
	if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) > 3 {
		service = scope[3]
	}
	switch service {
	case "cloudformation", "sts":
		a.query(w, r)
	case "s3":
		a.serveS3(w, r)
	case "dynamodb":
		a.serveDynamoDB(w, r)
	default:
		http.Error(w, "stacktest: no signature, or there is no service "+service, http.StatusNotImplemented)
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
	s, do := a.find(c.text("StackName")), a.actions()[c.action]
	switch {
	case answer != nil:
	case do == nil:
		answer = &Answer{http.StatusBadRequest, "InvalidAction", "Could not find operation " + c.action}
	case s == nil && !slices.Contains(stackless, c.action):
		answer = invalid("Stack [%s] does not exist", c.text("StackName"))
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
		"DeleteChangeSet": a.deleteChangeSet, "DeleteStack": a.deleteStack, "DescribeChangeSet": a.describeChangeSet,
		"DescribeEvents": a.describeEvents, "DescribeStackEvents": a.describeStackEvents, "DescribeStacks": a.describeStacks,
		"ExecuteChangeSet": a.executeChangeSet, "GetCallerIdentity": callerIdentity, "ListStackResources": a.listStackResources,
		"UpdateStack": a.changeStack, "UpdateTerminationProtection": a.updateTerminationProtection,
	}
}

func callerIdentity(*stack, call) (result, *Answer) {
	return result{"Account": Account, "Arn": "arn:aws:iam::" + Account + ":user/test"}, nil
}
