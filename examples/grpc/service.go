package main

import (
	"context"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
)

const (
	maxSize   = 4 << 20 // bytes of an answer
	meterStep = 10_000  // bytes that a stream takes at a time
)

// service returns bytes.
type service struct {
	pb.UnimplementedTestServiceServer
}

// UnaryCall returns bytes, which the interceptor has charged.
func (service) UnaryCall(_ context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	return &pb.SimpleResponse{Payload: payload(r.GetResponseSize())}, nil
}

// StreamingOutputCall returns bytes piece by piece, and charges each before it sends it.
func (service) StreamingOutputCall(r *pb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[pb.StreamingOutputCallResponse]) (err error) {
	ctx := stream.Context()
	meter := grpclimit.Lease(ctx).Meter("bytes", meterStep)
	defer func() {
		if closing := meter.Close(ctx); err == nil { // it works also if the client has gone
			err = grpclimit.Error(closing)
		}
	}()
	for _, piece := range r.GetResponseParameters() {
		p := payload(piece.GetSize())
		if err := meter.Add(ctx, int64(len(p.GetBody()))); err != nil {
			return grpclimit.Error(err)
		}
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: p}); err != nil {
			return err
		}
	}
	return nil
}

func payload(size int32) *pb.Payload {
	return &pb.Payload{Body: make([]byte, min(max(size, 0), maxSize))}
}

// keys are the ids of keys by their secrets. A real service finds them in its database.
var keys = map[string]string{"secret-of-alice": "key-of-alice", "secret-of-bob": "key-of-bob"}

// keyID returns the id of the caller's key: the secret itself must not be the entity. Callers without a key are limited by their
// address.
func keyID(ctx context.Context, _ string) string {
	for _, secret := range metadata.ValueFromIncomingContext(ctx, "authorization") {
		return keys[secret]
	}
	return ""
}

// cost is what a call takes before its handler runs.
func cost(_ context.Context, method string, request any) (engine.Tokens, error) {
	if method == "/grpc.health.v1.Health/Check" || method == "/grpc.health.v1.Health/Watch" {
		return nil, nil
	}
	tokens := engine.Tokens{"rpm": 1}
	if r, ok := request.(*pb.SimpleRequest); ok {
		tokens["bytes"] = int64(min(max(r.GetResponseSize(), 0), maxSize))
	}
	return tokens, nil
}
