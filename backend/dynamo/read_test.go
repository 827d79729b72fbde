package dynamo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
)

// sparing is a DynamoDB that serves only so many keys of a batch at a time, and leaves the others for later.
type sparing struct {
	*dynamotest.Injector
	most int
}

// Do implements the SDK's aws.HTTPClient.
func (s *sparing) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") {
		return s.Injector.Do(r)
	}
	type keys struct {
		ConsistentRead bool
		Keys           []json.RawMessage
	}
	var asked struct{ RequestItems map[string]*keys }
	var answer map[string]any
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	left := map[string]*keys{}
	for table, k := range asked.RequestItems {
		n := min(s.most, len(k.Keys))
		if rest := k.Keys[n:]; len(rest) > 0 {
			left[table] = &keys{k.ConsistentRead, rest}
		}
		k.Keys = k.Keys[:n]
	}
	if s.most == 0 {
		answer = map[string]any{"Responses": map[string]any{}}
	} else {
		body, _ := json.Marshal(asked)
		part := r.Clone(r.Context())
		part.Body, part.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		reply, err := s.Injector.Do(part)
		if err != nil {
			return nil, err
		}
		defer reply.Body.Close()
		if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
			return nil, err
		}
	}
	answer["UnprocessedKeys"] = left
	body, err := json.Marshal(answer)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, err
}

// TestUnprocessedKeys: what DynamoDB leaves of a batch is asked for again, until all is there; where it serves nothing, it is
// throttled.
func TestUnprocessedKeys(t *testing.T) {
	t.Parallel()
	client := &sparing{dynamotest.NewInjector(t, nil), 30}
	s := openOver(t, client)
	const records = 130 // more than one request may ask for
	var writes []backend.Write
	var keys []backend.Key
	for i := range records {
		w := add(fmt.Sprint(i))[0]
		w.Effects = []backend.Effect{{Slot: slotN, Op: backend.Set, Num: backend.Int(int64(i))}}
		writes, keys = append(writes, w), append(keys, w.Key)
	}
	if err := s.Apply(t.Context(), writes, make([]backend.Outcome, records)); err != nil {
		t.Fatal(err)
	}
	out := make([]backend.Record, records)
	read := func() error {
		for i := range out {
			out[i].Reset(layout)
		}
		return s.Read(t.Context(), keys, out)
	}
	client.Reset()
	if err := read(); err != nil {
		t.Fatal(err)
	}
	for i := range out {
		if !out[i].Present() || out[i].Int64(slotN) != int64(i) {
			t.Errorf("record %d: %v, %d", i, out[i].Present(), out[i].Int64(slotN))
		}
	}
	if n := client.Count("BatchGetItem"); n != 5 {
		t.Errorf("%d requests of 30 keys for %d", n, records)
	}
	client.most = 0
	if err := read(); !errors.Is(err, backend.ErrUnavailable) || !strings.Contains(err.Error(), "throttled") {
		t.Errorf("a table that serves nothing: %v", err)
	}
}
