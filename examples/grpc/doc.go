// Command grpc is a gRPC server whose calls are limited, and a client that keeps limits of its own:
//
//	grpc serve --table limits --limit rpm:60 --limit bytes:1000000
//	grpc fetch --key secret-of-alice --size 20000 --size 5000
//
// The service is that of gRPC's own tests, so that nothing is generated here: UnaryCall and StreamingOutputCall return as many bytes
// as the client asks for. A call takes one token of rpm. A unary call also takes its bytes, and a stream is charged while it
// runs, and cut at the limit. Health checks are not limited.
//
// Command grpc is an example: it has no TLS, and its keys are in the code.
package main
