package dynamo

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/zeroae/zae-limiter-go/backend"
)

// TestCloseFreesConnections reads and writes on one connection, which Close closes.
func TestCloseFreesConnections(t *testing.T) {
	t.Parallel()
	opened, closed := make(chan net.Conn, 10), make(chan net.Conn, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "{}")
	}))
	server.Config.ConnState = func(c net.Conn, now http.ConnState) {
		switch now {
		case http.StateNew:
			opened <- c
		case http.StateClosed:
			closed <- c
		default:
		}
	}
	server.Start()
	defer server.Close()
	s, err := connect(t.Context(), "table", &Options{
		Endpoint: server.URL, Config: &aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := backend.NewLayout("test", backend.Field{Name: "n"})
	k := backend.Key{Namespace: "n", Partition: "p", Sort: "s"}
	r := make([]backend.Record, 1)
	r[0].Reset(l)
	err = s.Apply(t.Context(), []backend.Write{{Key: k, Layout: l, Effects: []backend.Effect{{Op: backend.Set}}}}, make([]backend.Outcome, 1))
	if err != nil || s.Read(t.Context(), []backend.Key{k}, r) != nil {
		t.Fatal(err)
	}
	if n := len(opened); n != 1 {
		t.Errorf("a write and a read opened %d connections", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range len(opened) {
		select {
		case <-closed:
		case <-ctx.Done():
			t.Fatal("a connection is open although the store is closed")
		}
	}
}
