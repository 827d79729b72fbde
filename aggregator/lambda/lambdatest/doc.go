// Package lambdatest runs a Lambda function's real program in tests: what AWS does around it is here.
//
// [Build] compiles the program as a deployment has it, once for each test process. [Start] runs it behind a server of Lambda's
// Runtime API on the loopback; [Runtime.Invoke] hands it one event. [EventOf] makes an event of the records of a stream, as
// the service writes it. [NewFollower] reads a table's stream, as an event source mapping does: in batches, again from
// the first failure that the function names, and giving a record up after a few tries.
//
// It is for tests only, and knows nothing of what the function does.
package lambdatest
