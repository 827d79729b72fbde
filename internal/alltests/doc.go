// Package alltests says which tests run, and which of them must not be skipped.
//
// `go test ./...` leaves out tests that take seconds of a processor (fleets in virtual time, programs to compile, a suite once
// more) or need a tool, so that it takes about a minute. `make test` runs them, and so does `go test -run` with any pattern that
// they match. Package alltests does not decide which tests take long.
package alltests
