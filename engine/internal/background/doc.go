// Package background runs what belongs to no caller: it counts the goroutines of a limiter, so that closing can wait for them.
//
// The package does not know what they do.
package background
