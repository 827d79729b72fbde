// Package awsconfigtest gives tests AWS configurations that yield no credentials, each in a way that users meet: an expired
// SSO session, a role that cannot be assumed, a credential process that hangs, and so on. Local servers stand for SSO, STS
// and the endpoint of a container.
//
// It sets environment variables, so that its tests cannot be parallel. It is for tests only and never part of a program.
package awsconfigtest
