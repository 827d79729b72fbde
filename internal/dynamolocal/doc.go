// Package dynamolocal gets DynamoDB Local, AWS's emulator of DynamoDB, from Maven and knows how to run it with Java.
//
// [Get] keeps the program in a folder of the user's cache, one folder a version; [Program.Command] is the command line
// that runs it; [Await] waits until it answers; [Lock] keeps processes that do the same from each other's feet.
// The emulator listens on all addresses of the machine: it has no flag for another, so run it where that is acceptable.
//
// It is for tests and for "zae-limiter local", which start and end processes each in their own way; it starts none
// itself but Maven, and knows neither tables nor Docker.
package dynamolocal
