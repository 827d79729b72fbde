// Package awsconfig loads the user's AWS configuration as the AWS CLI does, and returns readable errors that say why there are
// no credentials and what to do. It discards the SDK's warnings.
//
// Several clients of a program can share a [Session] in the context: credentials are then fetched only once, and the user is
// asked for the code of an MFA device only once.
//
// Package awsconfig does not create clients of AWS services.
package awsconfig
