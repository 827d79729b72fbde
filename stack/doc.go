// Package stack deploys the infrastructure of a limiter as one CloudFormation stack.
//
// [Ensure] creates or updates a stack, or does nothing if it is up to date. It uses change sets only, reports its progress
// as [Event], keeps every option that the caller does not set, waits while somebody else changes the stack, and returns the
// root cause if it fails. At the end it writes the schema record of the table, so that dynamo.Open works afterwards. [Plan]
// returns what Ensure would change. [Delete] deletes the stack and, unless the caller keeps them, its data. [Get] and [List]
// describe stacks. [Template] returns the template.
//
// # What a stack holds
//
//	NAME              the table, with stream, TTL and the index GSI1
//	NAME-aggregator   the function that records usage and archives audit events from the table's stream; the queue
//	                  NAME-aggregator-dlq receives the batches that it cannot process
//	an S3 bucket      for archived audit events (audit/) and for the function's code (lambda/), named by its hash
//	policies          acquire, full and read, and the same three for callers that may only use one namespace
//	alarms, roles     optional
//
// The table and the bucket hold data: CloudFormation keeps them when it deletes the stack, and only Delete deletes them. The
// next stack of the same name adopts a table that was kept.
//
// Package stack neither prints nor prompts, and does not depend on packages engine and backend.
package stack
