package dynamo_test

import (
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
)

// wrong is an HTTP client that changes what time it is at the other end.
type wrong struct {
	*dynamotest.Injector
	by time.Duration
}

// Do implements the SDK's aws.HTTPClient.
func (w *wrong) Do(r *http.Request) (*http.Response, error) {
	reply, err := w.Injector.Do(r)
	if err == nil {
		reply.Header.Set("Date", time.Now().Add(w.by).UTC().Format(http.TimeFormat))
	}
	return reply, err
}

// TestAhead: every reply tells how far DynamoDB's clock is ahead.
func TestAhead(t *testing.T) {
	t.Parallel()
	client := &wrong{dynamotest.NewInjector(t, nil), 0}
	s := openOver(t, client)
	key := add("k")[0].Key
	r := make([]backend.Record, 2)
	for call, f := range map[string]func() error{
		"write":  func() error { return s.Apply(t.Context(), add("k"), make([]backend.Outcome, 1)) },
		"commit": func() error { return s.Commit(t.Context(), [16]byte([]byte(rand.Text())), add("k")) },
		"read": func() error {
			r[0].Reset(layout)
			return s.Read(t.Context(), []backend.Key{key}, r[:1])
		},
		"reads": func() error {
			r[0].Reset(layout)
			r[1].Reset(layout)
			return s.Read(t.Context(), []backend.Key{key, add("l")[0].Key}, r)
		},
		"list": func() error {
			_, err := s.List(t.Context(), backend.Query{Namespace: key.Namespace, Partition: key.Partition, Size: 1})
			return err
		},
	} {
		for _, by := range []time.Duration{time.Hour, -time.Hour} {
			client.by = by
			if err := f(); err != nil {
				t.Fatalf("%s: %v", call, err)
			}
			if off := s.Capabilities().ClockAhead() - by; off.Abs() > time.Minute {
				t.Errorf("%s, with a clock that is ahead by %v: %v", call, by, s.Capabilities().ClockAhead())
			}
		}
	}
}
