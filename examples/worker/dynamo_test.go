package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

func TestMain(m *testing.M) { dynamotest.Main(m) }

// api is where jobs are sent, and calls begun for each. It uses as many tokens as were estimated.
func api(t *testing.T, begun func()) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun()
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// input is a queue of jobs. It closes taken when all of them have been taken.
type input struct {
	strings.Reader
	taken chan struct{}
}

func newInput(n int) *input {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `{"id":"%d","tokens":10}`+"\n", i)
	}
	return &input{*strings.NewReader(text.String()), make(chan struct{})}
}

// Read implements [io.Reader].
func (i *input) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	if err != nil {
		close(i.taken)
	}
	return n, err
}

// outcomes sorts the lines of an output.
func outcomes(t *testing.T, out string) (all []string) {
	t.Helper()
	for line := range strings.Lines(out) {
		var l struct{ Outcome string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Outcome)
	}
	slices.Sort(all)
	return all
}

// Two workers share a rate: 21 jobs, of which five fit at once and ten more each second, take at least 1.6 seconds.
func TestOnDynamoDB(t *testing.T) {
	table, o := dynamotest.Table(t)
	c := config{
		URL: api(t, func() {}), Limit: []string{"rpm:10/s:5", "tpm:1000000"}, Entity: "workers", Resource: "jobs", Parallel: 3,
		Patience: time.Minute, JobTime: time.Minute, Timeout: time.Minute, Table: table, Region: o.Region, Endpoint: o.Endpoint,
	}
	began := time.Now()
	var both sync.WaitGroup
	var outs [2]strings.Builder
	for i, n := range []int{10, 11} {
		both.Go(func() {
			if err := run(t.Context(), &c, newInput(n), &outs[i]); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if took := time.Since(began); took < 1600*time.Millisecond {
		t.Errorf("21 jobs took %v", took)
	}
	if all := outcomes(t, outs[0].String()+outs[1].String()); len(all) != 21 || all[0] != string(done) || all[20] != string(done) {
		t.Error(all)
	}
}

// On the signal to stop, jobs that wait are put back, and what they have reserved is refunded.
func TestStopOnDynamoDB(t *testing.T) {
	table, o := dynamotest.Table(t)
	begun := make(chan struct{})
	c := config{
		URL: api(t, func() { close(begun) }), Limit: []string{"rpm:1/20s:1", "tpm:1000000"}, Entity: "workers", Resource: "jobs", Parallel: 3,
		Patience: 5 * time.Minute, JobTime: time.Minute, Timeout: time.Minute, Table: table, Region: o.Region, Endpoint: o.Endpoint,
	}
	ctx, stop := context.WithCancel(t.Context())
	in, ended := newInput(3), make(chan error, 1)
	var out strings.Builder
	go func() { ended <- run(ctx, &c, in, &out) }()
	<-in.taken
	<-begun
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if all := outcomes(t, out.String()); !slices.Equal(all, []string{string(done), string(putBack), string(putBack)}) {
		t.Errorf("%q: %s", all, &out)
	}
	store, err := dynamo.Open(t.Context(), table, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	limiter, err := engine.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = limiter.Close() }()
	limits, err := parseLimits(c.Limit)
	if err != nil {
		t.Fatal(err)
	}
	wait, err := limiter.TimeUntilAvailable(t.Context(), engine.Request{
		Entity: "workers", Resource: "jobs", Consume: engine.Tokens{"rpm": 1}, Limits: limits,
	})
	if err != nil || wait <= 0 || wait > 20*time.Second {
		t.Errorf("the next job would wait %v, %v", wait, err)
	}
}
