// Package dynamotest gives tests a DynamoDB on any machine, and faults between it and its client.
//
// [Table] creates a table on the emulator of the test process, which is the first of these that works:
//
//  1. ZAE_LIMITER_TEST_DYNAMODB, the URL of one that runs already;
//  2. Docker, with the image amazon/dynamodb-local, or with that of ZAE_LIMITER_TEST_DYNAMODB_IMAGE;
//  3. DynamoDB Local as a Java process, which Maven fetches once into the user's cache.
//
// ZAE_LIMITER_TEST_DYNAMODB_WAY=endpoint, docker or java leaves only that one.
//
// Tests on an emulator take minutes: they run if one of these variables or ZAE_LIMITER_TEST_ALL is set, as `make test` does,
// and are skipped otherwise. They are skipped, too, if no way works; with ZAE_LIMITER_TEST_REQUIRE=dynamodb they fail then.
// [Main] ends the emulator after the tests and prints what was not run, why, and what to do. [Start] starts an emulator for
// one test, to kill and restart or in another version.
//
// [NewProxy] lets a request take effect and spoils its reply, [NewInjector] answers with errors that no emulator returns, and
// [NewNetwork] is a bad network.
//
// Emulators delete expired records within seconds by the machine's clock, and a test's clock may be in the past: tables have
// TTL turned off, see [EnableTTL]. A Java process listens on all addresses of the machine, because it has no flag for another.
// It is for tests only and never part of a program.
package dynamotest
