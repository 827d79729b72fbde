//go:build amd64 || arm64

package prefetch

import "unsafe"

// lines is in assembly: Go has no such instruction of its own.
//
//go:noescape
func lines(p unsafe.Pointer, n int)
