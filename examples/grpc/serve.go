package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
)

// serveCmd are the flags of the server.
type serveCmd struct {
	Listen   string        `help:"Address to listen on." default:"127.0.0.1:9000"`
	Limit    []string      `help:"Limits where none are stored." default:"rpm:60,bytes:1000000" placeholder:"LIMIT"`
	Table    string        `help:"Table of the limits." required:"" placeholder:"NAME"`
	Region   string        `help:"Region of the table." env:"AWS_REGION"`
	Endpoint string        `help:"Endpoint of DynamoDB, if it is not that of the region." placeholder:"URL"`
	Timeout  time.Duration `help:"How long DynamoDB may take for a decision." default:"1s"`
	Drain    time.Duration `help:"How long calls may go on at shutdown." default:"20s"`
}

// Run serves until ctx ends. It prints where.
func (c *serveCmd) Run(ctx context.Context, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	store, err := dynamo.Open(ctx, c.Table, &dynamo.Options{Region: c.Region, Endpoint: c.Endpoint})
	if err != nil {
		return err
	}
	limiter, err := engine.New(store, &engine.Options{Timeout: c.Timeout})
	if err != nil {
		return err
	}
	return errors.Join(c.serve(ctx, limiter, listener), limiter.Close(), store.Close())
}

// serve serves until ctx ends, and returns when no handler runs any more.
func (c *serveCmd) serve(ctx context.Context, limiter *engine.Limiter, listener net.Listener) error {
	limits, err := parseLimits(c.Limit)
	if err != nil {
		return err
	}
	o := &grpclimit.Options{Key: keyID, Cost: cost, Limits: limits}
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(grpclimit.UnaryServerInterceptor(limiter, o)),
		grpc.ChainStreamInterceptor(grpclimit.StreamServerInterceptor(limiter, o)),
	)
	ready := health.NewServer()
	healthpb.RegisterHealthServer(server, ready)
	pb.RegisterTestServiceServer(server, service{})
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ready.Shutdown() // health checks say that the server is not ready
	c.drain(server)
	return err
}

// drain lets calls end, and cuts those that take too long. GracefulStop waits for the handlers of both; Stop alone would not.
func (c *serveCmd) drain(server *grpc.Server) {
	timer := time.AfterFunc(c.Drain, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
}

func parseLimits(texts []string) (limits []engine.Limit, err error) {
	for _, text := range texts {
		limit, err := engine.ParseLimit(text)
		if err != nil {
			return nil, err
		}
		limits = append(limits, limit)
	}
	return limits, nil
}
