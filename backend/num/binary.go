package num

import (
	"encoding/binary"
	"fmt"
)

// binarySize is the length of the binary form.
const binarySize = 16

// AppendBinary appends 16 bytes: a in two's complement, big-endian. The error is
// always nil. Every number has one form. As bytes the forms sort by value among
// the numbers of one sign, but the negative ones after the others.
func (a Int) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.hi))
	return binary.BigEndian.AppendUint64(dst, a.lo), nil
}

// FromBinary returns the number of which b is the form that AppendBinary made.
// Any 16 bytes are a number; any other length is an ErrLength.
func FromBinary(b []byte) (Int, error) {
	if len(b) != binarySize {
		return Int{}, fmt.Errorf("%w: %d", ErrLength, len(b))
	}
	return Int{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}, nil
}
