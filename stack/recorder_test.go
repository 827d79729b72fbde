package stack

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// recorder is an HTTP client for the SDK that notes what DynamoDB authorizes.
type recorder struct {
	t    *testing.T
	next http.Client
	lock sync.Mutex
	by   string
	all  []request
}

// options are o, with the recorder for HTTP client.
func (r *recorder) options(o *dynamo.Options) *dynamo.Options {
	config := o.Config.Copy()
	config.HTTPClient = r
	return &dynamo.Options{Config: &config}
}

// do notes what an operation does under its name.
func (r *recorder) do(by string, f func() error) {
	r.t.Helper()
	r.lock.Lock()
	r.by = by
	r.lock.Unlock()
	if err := f(); err != nil {
		r.t.Errorf("%s: %v", by, err)
	}
}

// take are the notes since the last time.
func (r *recorder) take() []request {
	r.lock.Lock()
	defer r.lock.Unlock()
	all := r.all
	r.all = nil
	return all
}

type keyed struct{ PK struct{ S string } }

// body is what matters of all requests.
type body struct {
	Key, Item                 *keyed
	IndexName                 *string
	ExpressionAttributeValues map[string]struct{ S string }
	RequestItems              map[string]struct{ Keys []keyed }
	TransactItems             []map[string]struct{ Key, Item *keyed }
}

// Do implements the SDK's aws.HTTPClient.
func (r *recorder) Do(q *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	q.Body = io.NopCloser(bytes.NewReader(text))
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
	r.lock.Lock()
	r.all = append(r.all, authorized(r.by, operation, b)...)
	r.lock.Unlock()
	return r.next.Do(q)
}

func authorized(by, operation string, b body) []request {
	q := request{by: by, action: "dynamodb:" + operation}
	key := func(some ...*keyed) []string {
		for _, k := range some {
			if k != nil {
				return []string{k.PK.S}
			}
		}
		return nil
	}
	switch operation {
	case "BatchGetItem":
		for _, table := range b.RequestItems {
			for _, k := range table.Keys {
				q.keys = append(q.keys, k.PK.S)
			}
		}
	case "Query":
		q.index, q.keys = b.IndexName != nil, []string{b.ExpressionAttributeValues[":h"].S}
	case "TransactWriteItems":
		var all []request
		for _, item := range b.TransactItems {
			for kind, of := range item { // Update, Put, Delete, ConditionCheck
				all = append(all, request{by: by, action: "dynamodb:" + kind + "Item", keys: key(of.Key, of.Item)})
			}
		}
		return all
	default:
		q.keys = key(b.Key, b.Item)
	}
	return []request{q}
}
