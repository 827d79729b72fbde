// Package stack declares the infrastructure of a deployed limiter, as one CloudFormation stack.
//
// [Ensure] makes what is there into what is wanted, or does nothing where it is that already. It goes by change sets
// only, tells its progress by [Event], keeps every option that the caller does not name, waits where somebody else is
// at work, and names the root cause where it fails. It ends with the record without which no store opens, so that
// dynamo.Open works after it. [Plan] shows what Ensure would change. [Delete] removes the stack and then its data, or
// leaves these. [Get] and [List] tell what there is, [Template] is what is deployed.
//
// # What a stack holds
//
//	NAME              the table, with stream, TTL and the index GSI1
//	NAME-aggregator   the function that books usage and archives audit events, fed by the table's stream; what it
//	                  cannot process is told to NAME-aggregator-dlq
//	a bucket          for archived audit events (audit/) and for the function's code (lambda/), by the hash of its content
//	policies          acquire, full and read, and the same three for callers that are held to a namespace
//	alarms, roles     by option
//
// Table and bucket hold data: CloudFormation keeps them when the stack goes, and only Delete removes them. A table that
// was left is taken into the stack that is next deployed under its name.
//
// Package stack prints nothing and asks nothing, and knows neither limits nor stores.
package stack
