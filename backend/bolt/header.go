package bolt

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"os"
)

// header is what Open reads of one of the two copies of a bbolt file's first page. If a copy is damaged, bbolt itself would
// use the other copy, or end the program. Numbers are in the byte order of the machine.
type header struct {
	pageSize int64
	free     int64 // the page with the list of free pages
	pages    int64 // the number of pages that the file must have
	txid     uint64
}

// Offsets in a page: 16 bytes of page header, and then these.
const (
	atMagic     = 16
	atVersion   = 20
	atPageSize  = 24
	atFree      = 48
	atPages     = 56
	atTxid      = 64
	atChecksum  = 72
	headerSize  = 80
	magic       = 0xED0CDAED
	boltVersion = 2
)

// checkHeaders returns the newer copy of the first page, or what is wrong with the file: an errForeign or errFile.
func checkHeaders(path string, f *os.File) (newest header, err error) {
	info, err := f.Stat()
	if err != nil {
		return newest, err
	}
	newest, ok := readHeader(f, 0)
	if !ok {
		for size := int64(1 << 10); size <= 1<<24; size <<= 1 {
			if h, ok := readHeader(f, size); ok && h.pageSize == size {
				return h, errFile(path, "its first page has a wrong checksum")
			}
		}
		return newest, errForeign(path, "it does not begin as a bbolt file does, or both copies of its first page are damaged")
	}
	second, ok := readHeader(f, newest.pageSize)
	if !ok || second.pageSize != newest.pageSize {
		return newest, errFile(path, "the second copy of its first page has a wrong checksum")
	}
	if info.Size() < max(newest.pages, second.pages)*newest.pageSize {
		return newest, errFile(path, "its end is missing")
	}
	if second.txid > newest.txid {
		newest = second
	}
	return newest, nil
}

func readHeader(f *os.File, at int64) (h header, ok bool) {
	var b [headerSize]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return h, false
	}
	order := binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(b[atMagic:atChecksum])
	h = header{
		pageSize: int64(order.Uint32(b[atPageSize:])), free: int64(order.Uint64(b[atFree:])),
		pages: int64(order.Uint64(b[atPages:])), txid: order.Uint64(b[atTxid:]),
	}
	return h, order.Uint32(b[atMagic:]) == magic && order.Uint32(b[atVersion:]) == boltVersion &&
		sum.Sum64() == order.Uint64(b[atChecksum:]) && h.pageSize > 0
}

// A page begins with its number. These are the offsets that follow.
const (
	atFlags      = 8
	atCount      = 10
	pageHeader   = 16
	isFreeList   = 0x10
	countFollows = 0xFFFF // the first number of the list is how many numbers follow
)

// checkFree returns what is wrong with the list of free pages. bbolt reads it when it opens a file for writing, and panics if
// it is damaged, while the file stays locked.
func checkFree(path string, f *os.File, h header) error {
	bad := errFile(path, "its list of free pages is damaged")
	if h.free < 2 || h.free >= h.pages {
		return bad
	}
	page, order := make([]byte, pageHeader), binary.NativeEndian
	if _, err := f.ReadAt(page, h.free*h.pageSize); err != nil {
		return err
	}
	if int64(order.Uint64(page)) != h.free || order.Uint16(page[atFlags:]) != isFreeList {
		return bad
	}
	list := io.NewSectionReader(f, h.free*h.pageSize+pageHeader, (h.pages-h.free)*h.pageSize-pageHeader)
	count := uint64(order.Uint16(page[atCount:]))
	if count == countFollows {
		if err := binary.Read(list, order, &count); err != nil {
			return err
		}
	}
	if count > uint64(h.pages) {
		return bad
	}
	pages := make([]int64, count)
	if err := binary.Read(list, order, pages); err != nil {
		return bad
	}
	last := int64(1)
	for _, p := range pages {
		if p <= last || p >= h.pages {
			return bad
		}
		last = p
	}
	return nil
}
