// Package changes changes settings and entities: their records, the lists and marks beside them, and the audit events that
// say so, in commits that are made whole. A call that changes one setting is a manifest of one change.
//
// The package checks no input, and remembers nothing.
package changes
