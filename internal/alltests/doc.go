// Package alltests marks tests that take seconds of a processor: fleets in virtual time, programs to compile, a suite once more.
//
// `go test ./...` leaves them out, so that it takes about a minute. `make test` runs them, and so does `go test -run` with any
// pattern that they match. Package alltests does not decide which tests take long.
package alltests
