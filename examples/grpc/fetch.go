package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
)

// fetchCmd are the flags of the client.
type fetchCmd struct {
	Target  string        `help:"Address of the server." default:"127.0.0.1:9000"`
	Key     string        `help:"Secret of your key." default:"secret-of-alice"`
	Size    []int32       `help:"Bytes to fetch, a number for each call." default:"1000"`
	Stream  bool          `help:"Fetch all in one stream."`
	Limit   []string      `help:"Limits that the client keeps itself." default:"rpm:600" placeholder:"LIMIT"`
	MaxWait time.Duration `help:"How long a call may wait for tokens, its own and the server's." default:"30s"`
}

// Run fetches bytes, and prints how many.
func (c *fetchCmd) Run(ctx context.Context, out io.Writer) (err error) {
	limits, err := parseLimits(c.Limit)
	if err != nil {
		return err
	}
	limiter, err := engine.New(memory.New(nil), nil) // in this process only; with DynamoDB, all clients share the limits
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, limiter.Close()) }()
	o := &grpclimit.ClientOptions{Limits: limits, MaxWait: c.MaxWait}
	conn, err := grpc.NewClient(c.Target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(limiter, o)),
		grpc.WithStreamInterceptor(grpclimit.StreamClientInterceptor(limiter, o)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.Key)
	fetch := c.each
	if c.Stream {
		fetch = c.stream
	}
	n, err := fetch(ctx, pb.NewTestServiceClient(conn))
	_, printed := fmt.Fprintln(out, n)
	return errors.Join(err, printed)
}

// each makes a call for each size.
func (c *fetchCmd) each(ctx context.Context, client pb.TestServiceClient) (n int, err error) {
	for _, size := range c.Size {
		answer, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: size})
		if err != nil {
			return n, err
		}
		n += len(answer.GetPayload().GetBody())
	}
	return n, nil
}

// stream gets a piece for each size.
func (c *fetchCmd) stream(ctx context.Context, client pb.TestServiceClient) (n int, err error) {
	r := &pb.StreamingOutputCallRequest{}
	for _, size := range c.Size {
		r.ResponseParameters = append(r.ResponseParameters, &pb.ResponseParameters{Size: size})
	}
	pieces, err := client.StreamingOutputCall(ctx, r)
	if err != nil {
		return 0, err
	}
	for {
		piece, err := pieces.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
		n += len(piece.GetPayload().GetBody())
	}
}
