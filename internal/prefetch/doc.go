// Package prefetch asks the processor for memory before it is used, so that several things which lie far apart are
// waited for at the same time, not one after the other.
//
// Package prefetch changes nothing and waits for nothing: a program without it does the same, later.
package prefetch
