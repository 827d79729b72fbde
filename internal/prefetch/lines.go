//go:build amd64 || arm64

package prefetch

import "unsafe"

// In assembly: Go has no such instruction of its own.

//go:noescape
func two(p unsafe.Pointer)

//go:noescape
func four(p unsafe.Pointer)
