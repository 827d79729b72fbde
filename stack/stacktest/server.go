package stacktest

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
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
		upstream, err := url.Parse(o.DynamoDB)
		if err != nil {
			t.Fatal(err)
		}
		a.tables = dynamodb.NewFromConfig(a.Config(), func(to *dynamodb.Options) { to.BaseEndpoint = &o.DynamoDB })
		a.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}
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

// Environment returns the variables of a program that uses the account.
func (a *AWS) Environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": a.Endpoint, "AWS_REGION": Region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
	}
}

// signed matches the scope of a signature: key, day, region, service.
var signed = regexp.MustCompile(`Credential=[^/]*/\d+/[^/]*/([a-z0-9-]+)/aws4_request`)

// ServeHTTP implements [http.Handler]. The service of a request is in its signature.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found := signed.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		http.Error(w, "stacktest: the request is not signed", http.StatusForbidden)
		return
	}
	switch service := found[1]; service {
	case "cloudformation", "sts":
		a.query(w, r)
	case "s3":
		a.lock.Lock()
		a.authorize(s3Requests(r)...)
		a.lock.Unlock()
		if a.answered(w, "s3:"+r.Method) || a.describesBucket(w, r) {
			return
		}
		a.s3.ServeHTTP(w, r)
	case "dynamodb":
		a.serveDynamoDB(w, r)
	default:
		http.Error(w, "stacktest: there is no service "+service, http.StatusNotImplemented)
	}
}

// answered answers in place of a service, if a test wants that.
func (a *AWS) answered(w http.ResponseWriter, name string) bool {
	a.lock.Lock()
	answer := a.nextAnswer(name)
	a.catchUp()
	a.lock.Unlock()
	if answer == nil {
		return false
	}
	writeText(w, answer.Status, "<Error><Code>"+answer.Code+"</Code><Message>"+answer.Message+"</Message></Error>")
	return true
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
	var err error
	switch do := a.actions()[c.action]; {
	case answer != nil:
		err = answer
	case do == nil:
		err = &Answer{http.StatusBadRequest, "InvalidAction", "Could not find operation " + c.action}
	default:
		reply, err = do(c)
	}
	writeXML(w, c.action, reply, err)
}

func (a *AWS) actions() map[string]func(call) (result, error) {
	return map[string]func(call) (result, error){
		"CreateChangeSet": a.createChangeSet, "CreateStack": a.createStack, "DeleteChangeSet": a.deleteChangeSet, "DeleteStack": a.deleteStack,
		"DescribeChangeSet": a.describeChangeSet, "DescribeEvents": a.describeEvents, "DescribeStacks": a.describeStacks,
		"ExecuteChangeSet": a.executeChangeSet, "GetCallerIdentity": callerIdentity, "UpdateStack": a.of(a.updateStack),
		"ContinueUpdateRollback": a.of(a.continueUpdateRollback), "DescribeStackEvents": a.of(a.describeStackEvents),
		"ListStackResources": a.of(a.listStackResources), "UpdateTerminationProtection": a.of(a.updateTerminationProtection),
	}
}

// of returns an action of the stack that a request names.
func (a *AWS) of(do func(*stack, call) (result, error)) func(call) (result, error) {
	return func(c call) (result, error) {
		if s := a.find(c.text("StackName")); s != nil {
			return do(s, c)
		}
		return nil, invalid("Stack [%s] does not exist", c.text("StackName"))
	}
}

func callerIdentity(call) (result, error) {
	return result{"Account": Account, "Arn": "arn:aws:iam::" + Account + ":user/test", "UserId": "AIDATEST"}, nil
}
