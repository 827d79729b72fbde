package prefetch

import "unsafe"

// Two asks for two lines of the processor's cache, 128 bytes, from p on. Any p will do, also nil, and whatever is there may be read and
// written meanwhile.
func Two[T any](p *T) { two(unsafe.Pointer(p)) }

// Four asks for four lines, 256 bytes, otherwise as Two.
func Four[T any](p *T) { four(unsafe.Pointer(p)) }
