package bolt

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// A part of a key is followed by zero and end, and a zero byte in it is escaped. So a part that is the beginning of another
// one sorts before it, and no bytes of a part look like its end.
const (
	zero    = 0x00
	end     = 0x01 // after zero: the part ends
	behind  = 0x02 // after zero: greater than any key in which end is after zero
	escaped = 0xFF // after zero: the zero belongs to the part
)

// appendPart appends a part without its end.
func appendPart(dst []byte, part string) []byte {
	for {
		i := strings.IndexByte(part, zero)
		if i < 0 {
			return append(dst, part...)
		}
		dst = append(append(dst, part[:i]...), zero, escaped)
		part = part[i+1:]
	}
}

// appendParts appends parts with their ends.
func appendParts(dst []byte, parts ...string) []byte {
	for _, p := range parts {
		dst = append(appendPart(dst, p), zero, end)
	}
	return dst
}

func appendKey(dst []byte, k backend.Key) []byte {
	return appendParts(dst, k.Namespace, k.Partition, k.Sort)
}

// entry returns a key of the bucket index.
func entry(k backend.Key, p backend.Place) []byte {
	return appendParts(nil, k.Namespace, p.Partition, p.Sort, k.Partition, k.Sort)
}

// cutPart returns the part at the beginning of b, and what follows its end.
func cutPart(b []byte) (part string, rest []byte, err error) {
	i := bytes.IndexByte(b, zero)
	if i >= 0 && i+1 < len(b) && b[i+1] == end {
		return string(b[:i]), b[i+2:], nil
	}
	var text []byte
	for ; i >= 0 && i+1 < len(b); i = bytes.IndexByte(b, zero) {
		text = append(text, b[:i]...)
		switch next := b[i+1]; {
		case next == end:
			return string(text), b[i+2:], nil
		case next != escaped:
			return "", nil, errDamaged
		}
		text, b = append(text, zero), b[i+2:]
	}
	return "", nil, errDamaged
}

// cutParts sets the parts of b, which must have nothing else.
func cutParts(b []byte, parts ...*string) (err error) {
	for _, p := range parts {
		if *p, b, err = cutPart(b); err != nil {
			return err
		}
	}
	if len(b) > 0 {
		return errDamaged
	}
	return nil
}

func decodeKey(b []byte) (k backend.Key, err error) {
	return k, cutParts(b, &k.Namespace, &k.Partition, &k.Sort)
}

func decodeEntry(b []byte) (k backend.Key, p backend.Place, err error) {
	return k, p, cutParts(b, &k.Namespace, &p.Partition, &p.Sort, &k.Partition, &k.Sort)
}

// appendDue appends a key of the bucket expiry. Times are not negative.
func appendDue(dst []byte, due backend.Expiry, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(due)), key...)
}

// sequence returns a key of the bucket feed, whose bytes are in the order of numbers.
func sequence(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func appendString[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// reader reads values from b. After an error it reads nothing more.
type reader struct {
	b   []byte
	err error
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.err = nil, errDamaged
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errDamaged
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() []byte { return r.bytes(r.uvarint()) }
