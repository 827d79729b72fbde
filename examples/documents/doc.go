// Package documents compiles the Go of the documents that needs libraries which the root does not have: gRPC, OpenTelemetry, routers.
// A comment before such a block says "in examples", and the statements around it as in docs_test.go of the root.
//
// Package documents has tests and nothing else.
package documents
