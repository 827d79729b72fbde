package awsconfig

import "errors"

// ErrMFA reports a profile that demands the code of an MFA device, where nobody can be asked for it.
var ErrMFA = errors.New("the profile's role demands the code of an MFA device")

// Error reports that there are no credentials: the request was not sent.
type Error struct {
	Profile string // that was used, "" where that is not known
	Cause   string // in words, of the provider that failed
	Cure    string // what to do
	Waiting bool   // no answer came: another try may get one
	Err     error  // the SDK's
}

// Error is the cause and its cure, in one line.
func (e *Error) Error() string {
	text := "there are no AWS credentials"
	if e.Profile != "" {
		text += " (profile " + e.Profile + ")"
	}
	return text + ": " + e.Cause + "; " + e.Cure
}

// Unwrap gives the SDK's error.
func (e *Error) Unwrap() error { return e.Err }
