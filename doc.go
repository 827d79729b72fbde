// Package zaelimiter is the root of an exact rate limiter: the limiter itself is package engine, which
// works over any store that keeps the contract of package backend, such as backend/memory and
// backend/bolt; cmd/zae-limiter is its command line.
//
// There is no code here to import, only the tests that hold the rules of the house: which package may
// import which (deps_test.go), and what a reviewer would otherwise have to repeat (lint_test.go).
package zaelimiter
