// Package stacktest gives tests an AWS account on this machine: CloudFormation and what it needs of S3, DynamoDB, Lambda and
// STS, on one endpoint.
//
// CloudFormation is a machine of states that reads templates: parameters, conditions, references, deletion policies. Its
// operations go by a [Clock] of the test's, one resource after the other, and tell what they do in events as the service
// does: the newest first, in pages, each with the token of its operation. Without more said all goes well. What shall not
// is said beforehand: [AWS.FailCreate] and the like for resources, [AWS.Answer] for requests (throttling, refusals),
// [AWS.Busy] for somebody else's update, [AWS.Vanish] for a stack that is gone, [AWS.SetStatus] for any state there is.
// A bucket that is not empty cannot be deleted, and a table that exists cannot be made again: also if a stack has left it.
//
// [Moto] is a second opinion, for the course where all goes well: Python's moto, of a pinned version, which "make setup"
// installs. [CfnLint] runs the linter of templates. Where they cannot be had, tests are skipped and say how to get them; with
// ZAE_LIMITER_TEST_REQUIRE=moto,cfn-lint they fail.
//
// Another region may be served than [Region], also of another partition: then requests that speak of [Region] or of the
// partition aws are rejected. [Terraform] parses a module, and [ProviderTypes] has what Terraform's provider declares.
//
// Every request is allowed, and [AWS.Authorized] tells what IAM would have been asked, also for what CloudFormation does with the
// permissions of its caller. [Policy.Allows] evaluates policies as IAM does, those of a template by [Render], and [SecondOpinion]
// compares it with an evaluator of npm's that nobody here wrote: iam-simulate, installed and required like moto.
//
// It is for tests only, and judges no limits.
package stacktest
