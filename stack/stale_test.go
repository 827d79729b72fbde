package stack

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// stale is a client whose DescribeStacks shows, twice after an operation has started, what it would have shown before, and so does
// the next one by name after a deletion. If it is silent, there are no events.
type stale struct {
	next   aws.HTTPClient
	before []byte
	left   int
	named  bool
	silent bool
}

// Do implements [aws.HTTPClient].
func (c *stale) Do(r *http.Request) (*http.Response, error) {
	send := func(text string) (*http.Response, []byte, error) {
		q := r.Clone(r.Context())
		q.Body, q.ContentLength = io.NopCloser(bytes.NewReader([]byte(text))), int64(len(text))
		a, err := c.next.Do(q)
		if err != nil {
			return nil, nil, err
		}
		body, err := io.ReadAll(a.Body)
		a.Body = io.NopCloser(bytes.NewReader(body))
		return a, body, err
	}
	var text []byte
	if r.Body != nil {
		text, _ = io.ReadAll(r.Body)
	}
	form, _ := url.ParseQuery(string(text))
	switch action := form.Get("Action"); {
	case action == "ExecuteChangeSet", action == "DeleteStack", action == "ContinueUpdateRollback":
		_, c.before, _ = send(url.Values{"Action": {"DescribeStacks"}, "Version": form["Version"], "StackName": form["StackName"]}.Encode())
		c.left, c.named = 2, action == "DeleteStack"
	case action == "DescribeStacks" && (c.left > 0 || c.named && form.Get("StackName") == app):
		c.named = c.named && c.left > 0
		c.left = max(0, c.left-1)
		a, _, err := send(string(text))
		if err == nil {
			a.StatusCode, a.ContentLength, a.Body = http.StatusOK, int64(len(c.before)), io.NopCloser(bytes.NewReader(c.before))
		}
		return a, err
	case action == "DescribeStackEvents" && c.silent:
		a, body, err := send(string(text))
		if err == nil {
			body = regexp.MustCompile("(?s)<StackEvents>.*</StackEvents>").ReplaceAll(body, nil)
			a.ContentLength, a.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
		}
		return a, err
	}
	a, _, err := send(string(text))
	return a, err
}

// staleSession returns a session that reads the status of stacks late.
func (w *world) staleSession(o Options) *session { return w.lateSession(o, false) }

func (w *world) lateSession(o Options, silent bool) *session {
	w.t.Helper()
	s := w.session(o)
	config := w.Config()
	config.HTTPClient = &stale{next: config.HTTPClient, silent: silent}
	o.Config, o.Now, o.Sleep, o.Progress = &config, s.o.Now, s.o.Sleep, s.o.Progress
	s, err := openNamed(w.t.Context(), app, &o)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// CloudFormation may show for some seconds the status that a stack had before an operation: that is not the operation's result.
func TestStaleStatus(t *testing.T) {
	w := newWorld(t, nil)
	r, err := w.staleSession(with()).ensure(t.Context())
	if err != nil || r.Action != Created || !r.Info.Aggregator {
		t.Fatalf("%+v, %v", r.Action, err)
	}
	w.Fail("update", "Aggregator", "no")
	_, err = w.staleSession(with(func(o *Options) { o.LambdaTimeout = 30 })).ensure(t.Context())
	mustFail(t, err, "was not changed: the update was rolled back: Aggregator (AWS::Lambda::Function): no")
	if err := w.staleSession(Options{}).delete(t.Context(), DeleteOptions{}); err != nil || w.Exists(tableKind, app) {
		t.Error(err)
	}
}

// Emulators may have no events: the status counts all the same, after a while.
func TestNoEvents(t *testing.T) {
	w := newWorld(t, nil)
	r, err := w.lateSession(with(), true).ensure(t.Context())
	if err != nil || r.Action != Created || !r.Info.Aggregator || w.has("Table", "CREATE_COMPLETE") {
		t.Fatalf("%+v, %v\n%s", r.Action, err, w.story())
	}
	if err := w.lateSession(Options{}, true).delete(t.Context(), DeleteOptions{}); err != nil || w.Exists(tableKind, app) {
		t.Error(err)
	}
}
