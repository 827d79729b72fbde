// Package alarm calls those who wait for an instant: desks at which callers share writes, and queues of callers that wait for
// tokens. It sleeps by the limiter's own clock, so that tests can set it.
//
// The package does not know what its clients do then.
package alarm
