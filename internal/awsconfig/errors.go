package awsconfig

import "errors"

// ErrMFA means that a profile needs the code of an MFA device, and there is nobody to ask for it.
var ErrMFA = errors.New("the profile's role requires the code of an MFA device")

// Error means that there are no credentials. The request was not sent.
type Error struct {
	Profile string // the profile in use; empty if unknown
	Cause   string // why the provider failed
	Cure    string // what to do
	Waiting bool   // there was no answer, so a retry may succeed
	Err     error  // the SDK's error
}

// Error returns the cause and what to do, in one line.
func (e *Error) Error() string {
	text := "no AWS credentials"
	if e.Profile != "" {
		text += " (profile " + e.Profile + ")"
	}
	return text + ": " + e.Cause + "; " + e.Cure
}

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.Err }
