// Package pause waits for time to pass, as long as somebody still wants to: what options called Sleep have by default.
//
// Package pause is no clock: it does not know what time it is.
package pause
