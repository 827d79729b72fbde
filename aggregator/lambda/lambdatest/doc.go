// Package lambdatest runs the program of a Lambda function in tests, and stands for what AWS does around it.
//
// [Build] compiles the program like that of a deployment, once for each test process. [Start] runs it with a server of
// Lambda's Runtime API on the loopback, and [Runtime.Invoke] passes one event to it. [EventOf] turns the records of a stream
// into an event, as the service writes it. [NewFollower] reads a table's stream like an event source mapping: in batches,
// again from the first failure that the function names, and without a record that fails too often.
//
// It is for tests only and does not know what the function does.
package lambdatest
