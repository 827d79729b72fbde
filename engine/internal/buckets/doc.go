// Package buckets reads the state of buckets for people who look at them.
//
// The package writes nothing, and decides no requests.
package buckets
