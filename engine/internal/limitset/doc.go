// Package limitset parses limits, and prepares lists of limits for the writes of buckets: what a level has configured, what a
// request brings, or what a record says. It compares them, and converts a record from one list to another.
//
// The package does no I/O, and does not know who is limited.
package limitset
