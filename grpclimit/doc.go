// Package grpclimit limits gRPC calls. A server denies what is above its limits with status RESOURCE_EXHAUSTED, and a client
// waits for its own limits and for what the server asks:
//
//	server := grpc.NewServer(
//		grpc.UnaryInterceptor(grpclimit.UnaryServerInterceptor(limiter, options)),
//		grpc.StreamInterceptor(grpclimit.StreamServerInterceptor(limiter, options)),
//	)
//	client, err := grpc.NewClient(target, grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(limiter, nil)))
//
// The interceptor that authenticates comes first. A denial has the details RetryInfo, with the exact wait, and QuotaFailure, with
// the limits of the caller that deny, and never those of its parents. A denial that can never fit has no RetryInfo.
//
// The lease of a call is in the handler's context, so that the handler can adjust it; see [Lease]. The interceptor commits it when
// the handler returns, whatever became of the client. A handler whose meter is denied returns [Error] of that. [Limiter] serves
// go-grpc-middleware.
//
// If a client leaves less than 100 ms for a call, its deadline is not taken for an outage of the store when it passes.
//
// Package grpclimit does not authenticate.
package grpclimit
