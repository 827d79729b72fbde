// Package stacktest gives tests an AWS account on this machine: CloudFormation, and what a deployment needs of S3, DynamoDB,
// Lambda and STS, at one endpoint.
//
// CloudFormation is scripted: it has the states, events, failures and rollbacks of the service. [Start] returns an account in
// which all goes well, by a [Clock] of the test's, until a test says what is to go wrong: [AWS.Fail] for the steps of resources
// and for change sets, [AWS.Answer] for requests (throttling, no permission), [AWS.On] for what happens in between, [AWS.Busy]
// for an update by somebody else, [AWS.SetStatus] for a stack that somebody deletes and for a state that nothing here leads to.
// Templates are evaluated as far as the project's own needs it.
//
// [Moto] starts Python's moto, which is independent of what is written here, for stories in which all goes well. [CfnLint] runs
// the linter of templates. [Policy.Allows] evaluates policies with npm's iam-simulate: those of a template by [Render], on the
// requests of [AWS.Authorized] and [HandlerRequests]. [Provider] has what Terraform's provider declares. `make setup` installs
// these tools in pinned versions. Tests that need one run if ZAE_LIMITER_TEST_ALL is set, as `make test` does; without the tool
// they are skipped and say how to get it, or fail if ZAE_LIMITER_TEST_REQUIRE lists it: moto, cfn-lint, iam-simulate, terraform.
//
// It is for tests only and knows nothing of limits.
package stacktest
