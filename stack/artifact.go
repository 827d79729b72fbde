package stack

import "context"

// Code is what the function runs: a zip with one entry, bootstrap, which is a Linux binary that serves the aggregator.
type Code struct {
	Zip          []byte
	Architecture string // arm64 or x86_64
	Version      string // of the program in it, "" where it does not say
	Hash         string // SHA-256 of Zip, in hex
}

// FindCode makes the function's code of this version: of the running program if that is zae-limiter's own Linux binary
// for the architecture ("": whatever it has), else by the Go toolchain and the module's source. [ErrNoCode] tells what to
// do where neither is there.
func FindCode(ctx context.Context, architecture string) (*Code, error) {
	return nil, ErrNoCode
}

// ReadCode reads the zip, or the Linux binary, in a file.
func ReadCode(path string) (*Code, error) {
	return nil, ErrNoCode
}
