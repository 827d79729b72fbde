// Package dynamotest gives tests a DynamoDB on any machine, and what spoils its replies.
//
// [Table] makes a fresh table on the one emulator of the test process, which is the first of these that works:
//
//  1. ZAE_LIMITER_TEST_DYNAMODB, the URL of one that runs already;
//  2. Docker, with the image amazon/dynamodb-local, or that of ZAE_LIMITER_TEST_DYNAMODB_IMAGE;
//  3. DynamoDB Local as a Java process, fetched once by Maven into the user's cache.
//
// ZAE_LIMITER_TEST_DYNAMODB_WAY=endpoint, docker or java leaves only that one, to try it for itself.
//
// Where none works the test is skipped; with ZAE_LIMITER_TEST_REQUIRE=dynamodb it fails. [Main] ends the emulator with
// the tests and says what was not run, why, and how to get it. [Start] gives a test an emulator of its own, to kill and
// start again or to have another version.
//
// [NewProxy] lets a request take effect and spoils its reply; [NewInjector] answers with errors that no emulator makes;
// [NewNetwork] is a bad network.
//
// Emulators carry TTL out within seconds by the machine's clock, and a test's clock may stand in the past: tables have
// it off, see [EnableTTL]. A Java process listens on all addresses of the machine, having no flag for another.
// It is for tests only, and never part of a program.
package dynamotest
