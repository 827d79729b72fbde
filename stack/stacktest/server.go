package stacktest

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
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
	Now      func() time.Time // the time of operations. Default: that of AWS.Clock
	Pace     time.Duration    // the time to create, change or delete a resource. Default: 1 s
	PageSize int              // the number of items in a page of a list. Default: 20
	DynamoDB string           // endpoint of a DynamoDB in which tables are created. Default: there is none, and few requests work
}

// AWS is an account with CloudFormation and what it needs. All services are at one endpoint, for AWS_ENDPOINT_URL. It is safe
// for concurrent use.
type AWS struct {
	Endpoint string // http://127.0.0.1:PORT
	Clock    *Clock // nil if Options.Now is set

	clock    func() time.Time
	pace     time.Duration
	pageSize int
	tables   *dynamodb.Client       // of the DynamoDB behind, nil if there is none
	proxy    *httputil.ReverseProxy // to it
	s3       http.Handler
	buckets  *s3mem.Backend

	lock     sync.Mutex
	instant  time.Time // of what happens while catching up
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
		clock: o.Now, pace: cmp.Or(o.Pace, time.Second), pageSize: cmp.Or(o.PageSize, 20), buckets: s3mem.New(), existing: map[string]*existing{},
		faults: faults{counts: map[string]int{}, answers: map[string][]*Answer{}, hooks: map[string]func(int){}, failures: map[string]string{}},
	}
	if a.clock == nil {
		a.Clock = &Clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
		a.clock = a.Clock.Now
	}
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
		for _, s := range a.stacks {
			s.halt()
		}
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
	signature := strings.Split(r.Header.Get("Authorization"), "/")
	if len(signature) < 5 {
		http.Error(w, "stacktest: the request is not signed", http.StatusForbidden)
		return
	}
	switch service := signature[3]; service {
	case "cloudformation", "sts":
		a.query(w, r)
	case "s3":
		a.serveS3(w, r)
	case "dynamodb":
		a.serveDynamoDB(w, r)
	default:
		http.Error(w, "stacktest: there is no service "+service, http.StatusNotImplemented)
	}
}

// query serves a request of the query protocol, to CloudFormation or STS.
func (a *AWS) query(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := call{r.PostForm.Get("Action"), r.PostForm}
	a.lock.Lock()
	defer a.lock.Unlock()
	a.authorize(queryRequests(c)...)
	answer := a.nextAnswer(c.action)
	a.catchUp()
	var reply result
	s := a.find(c.text("StackName"))
	switch do, ofStack := a.actions()[c.action], a.stackActions()[c.action]; {
	case answer != nil:
	case do != nil:
		reply, answer = do(s, c)
	case ofStack != nil && s != nil:
		reply, answer = ofStack(s, c)
	case ofStack != nil:
		answer = invalid("Stack [%s] does not exist", c.text("StackName"))
	default:
		answer = &Answer{http.StatusBadRequest, "InvalidAction", "Could not find operation " + c.action}
	}
	if answer != nil {
		problem := result{"Type": "Sender", "Code": answer.Code, "Message": answer.Message}
		writeXML(w, answer.Status, "ErrorResponse", result{"Error": problem, "RequestId": "TEST"})
		return
	}
	writeXML(w, http.StatusOK, c.action+"Response", result{c.action + "Result": reply})
}

// action is what an operation of CloudFormation does with the stack that a request names.
type action = func(*stack, call) (result, *Answer)

// actions are those that also take the name of a stack which does not exist, for which they get nil.
func (a *AWS) actions() map[string]action {
	return map[string]action{
		"CreateChangeSet": a.createChangeSet, "CreateStack": a.changeStack, "DeleteStack": a.deleteStack, "DescribeStacks": a.describeStacks,
		"GetCallerIdentity": callerIdentity,
	}
}

// stackActions are those for stacks that exist.
func (a *AWS) stackActions() map[string]action {
	return map[string]action{
		"ContinueUpdateRollback": a.continueUpdateRollback, "DeleteChangeSet": a.deleteChangeSet, "DescribeChangeSet": a.describeChangeSet,
		"DescribeEvents": a.describeEvents, "DescribeStackEvents": a.describeStackEvents, "ExecuteChangeSet": a.executeChangeSet,
		"ListStackResources": a.listStackResources, "UpdateStack": a.changeStack, "UpdateTerminationProtection": a.updateTerminationProtection,
	}
}

func callerIdentity(*stack, call) (result, *Answer) {
	return result{"Account": Account, "Arn": "arn:aws:iam::" + Account + ":user/test", "UserId": "AIDATEST"}, nil
}
