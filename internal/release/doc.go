// Command release builds the archives of a release: the command line for each system, with LICENSE and README.md, and a
// file of checksums. The version is that of the build information, from the tag of the commit. The same commit gives the
// same bytes with the same version of Go, wherever and whenever it is built.
//
//	go run ./internal/release -o dist
//
// It publishes nothing.
package main
