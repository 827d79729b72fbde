// Package awsconfig loads the AWS configuration of the user as the AWS CLI would, and says in words why there are no
// credentials and what to do about it. The SDK's own warnings go nowhere: what matters comes back as an error.
//
// A program that makes several clients can share what is loaded by a [Session] in the context: credentials are then fetched
// once, and the code of an MFA device is asked for once.
//
// Package awsconfig knows no service and makes no client.
package awsconfig
