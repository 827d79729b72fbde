// Package pause waits, and says for how long there is time to.
//
// Package pause reads no clock but the system's, by which the deadlines of contexts go.
package pause
