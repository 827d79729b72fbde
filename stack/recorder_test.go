package stack

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// recorder is an HTTP client for the SDK that records what DynamoDB would authorize.
type recorder struct {
	t     *testing.T
	table string // its ARN in policies, independent of its name in the test
	next  http.Client
	lock  sync.Mutex
	by    string
	all   []request
}

// options returns o with the recorder as HTTP client.
func (r *recorder) options(o *dynamo.Options) *dynamo.Options {
	config := o.Config.Copy()
	config.HTTPClient = r
	return &dynamo.Options{Config: &config}
}

// do records the requests of an operation under its name.
func (r *recorder) do(by string, f func() error) {
	r.t.Helper()
	r.lock.Lock()
	r.by = by
	r.lock.Unlock()
	if err := f(); err != nil {
		r.t.Errorf("%s: %v", by, err)
	}
}

// take returns the requests since the last call.
func (r *recorder) take() []request {
	r.lock.Lock()
	defer r.lock.Unlock()
	all := r.all
	r.all = nil
	return all
}

// Do implements the SDK's aws.HTTPClient.
func (r *recorder) Do(q *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	q.Body = io.NopCloser(bytes.NewReader(text))
	_, operation, _ := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
	requests, err := stacktest.DynamoDBRequests(operation, text, func(string) string { return r.table })
	if err != nil {
		return nil, err
	}
	r.lock.Lock()
	for i := range requests {
		requests[i].By = r.by
	}
	r.all = append(r.all, requests...)
	r.lock.Unlock()
	return r.next.Do(q)
}
