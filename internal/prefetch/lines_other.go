//go:build !amd64 && !arm64

package prefetch

import "unsafe"

func two(unsafe.Pointer) {}

func four(unsafe.Pointer) {}
