// Package conformance proves that a store keeps the contract of package backend.
package conformance
