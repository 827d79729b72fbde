package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

func TestMain(m *testing.M) { dynamotest.Main(m) }

// Two servers share a limit.
func TestOnDynamoDB(t *testing.T) {
	table, o := dynamotest.Table(t)
	var targets [2]string
	for i := range targets {
		store, err := dynamo.Open(t.Context(), table, o)
		if err != nil {
			t.Fatal(err)
		}
		limiter, err := engine.New(store, &engine.Options{Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		target, stop := serve(t, limiter, time.Minute, "rpm:4/day", "bytes:1000/day")
		targets[i] = target
		t.Cleanup(func() {
			stop()
			_, _ = limiter.Close(), store.Close()
		})
	}
	for n, want := range []codes.Code{codes.OK, codes.OK, codes.OK, codes.OK, codes.ResourceExhausted, codes.ResourceExhausted} {
		_, err := fetch(t, fetchCmd{Target: targets[n%2], Key: "secret-of-alice", Size: []int32{10}, MaxWait: -1})
		if status.Code(err) != want {
			t.Errorf("call %d: %v, want %v", n, err, want)
		}
	}
}

// The command serves until it is told to stop. A client that may wait is served when the server has said.
func TestServe(t *testing.T) {
	table, o := dynamotest.Table(t)
	ctx, stop := context.WithCancel(t.Context())
	c := serveCmd{Listen: "127.0.0.1:0", Limit: []string{"rpm:20/s:1", "bytes:1000"}, Table: table, Region: o.Region, Endpoint: o.Endpoint, Timeout: time.Minute, Drain: time.Minute}
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, out) }()
	target, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	n, err := fetch(t, fetchCmd{Target: strings.TrimSpace(target), Key: "secret-of-alice", Size: []int32{10, 10, 10}, MaxWait: time.Minute})
	if took := time.Since(began); n != "30" || err != nil || took < 100*time.Millisecond {
		t.Errorf("%s bytes, %v, after %v", n, err, took)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A stream that takes longer than the drain is cut, and what it has used is charged before the server has ended.
func TestShutdownCuts(t *testing.T) {
	l := limitertest.New(t, nil)
	target, stop := serve(t, l.Limiter, time.Millisecond, "rpm:60", "bytes:1000000000")
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const size = 95_000 // so that the server cannot send all of them before the client reads
	r := &pb.StreamingOutputCallRequest{}
	for range 100 {
		r.ResponseParameters = append(r.ResponseParameters, &pb.ResponseParameters{Size: size})
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "secret-of-alice")
	pieces, err := pb.NewTestServiceClient(conn).StreamingOutputCall(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pieces.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	if used := l.Charged("key-of-alice", resource)["bytes"]; used == 0 || used == 100*size || used%size != 0 {
		t.Errorf("%d bytes are charged, of pieces of %d", used, size)
	}
}
