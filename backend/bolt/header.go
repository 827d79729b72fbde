package bolt

import (
	"encoding/binary"
	"hash/fnv"
	"os"
)

// header is one of the two copies of a bbolt file's first page, as far as Open looks at it: bbolt itself would take the
// other copy for a damaged one, or end the program, where a store is better refused. Numbers are in the machine's order.
type header struct {
	pageSize int64
	pages    int64 // that the file must have
}

// Offsets in a page: 16 bytes of page header, then these.
const (
	atMagic     = 16
	atVersion   = 20
	atPageSize  = 24
	atPages     = 56
	atChecksum  = 72
	headerSize  = 80
	magic       = 0xED0CDAED
	boltVersion = 2
)

// checkHeaders tells what is wrong with the first pages of a file, an errForeign or errFile.
func checkHeaders(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	first, firstOK := readHeader(f, 0)
	if !firstOK {
		for size := int64(1 << 10); size <= 1<<24; size <<= 1 {
			if h, ok := readHeader(f, size); ok && h.pageSize == size {
				return errFile(path, "its first page has a wrong checksum")
			}
		}
		return errForeign(path, "it does not begin as a bbolt file does (or both copies of its first page are damaged)")
	}
	second, secondOK := readHeader(f, first.pageSize)
	if !secondOK || second.pageSize != first.pageSize {
		return errFile(path, "the second copy of its first page has a wrong checksum")
	}
	if info.Size() < max(first.pages, second.pages)*first.pageSize {
		return errFile(path, "its end is missing")
	}
	return nil
}

func readHeader(f *os.File, at int64) (h header, ok bool) {
	var b [headerSize]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return h, false
	}
	order := binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(b[atMagic:atChecksum])
	h = header{int64(order.Uint32(b[atPageSize:])), int64(order.Uint64(b[atPages:]))}
	return h, order.Uint32(b[atMagic:]) == magic && order.Uint32(b[atVersion:]) == boltVersion &&
		sum.Sum64() == order.Uint64(b[atChecksum:]) && h.pageSize > 0
}
