package prefetch

import "unsafe"

// Lines asks for n lines of the processor's cache, of 64 bytes each, from p on. Any p will do, also nil. Whatever is
// there may be read and written meanwhile.
func Lines[T any](p *T, n int) { lines(unsafe.Pointer(p), n) }
