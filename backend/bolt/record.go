package bolt

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
)

// head is what the store itself keeps of a record. A stored record is its head, followed by its fields.
type head struct {
	expiry backend.Expiry
	due    backend.Expiry // its time in the bucket expiry, 0 for none; never later than expiry
	place  backend.Place  // in the index; without partition if there is none
}

func appendHead(dst []byte, h *head) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.expiry-backend.NoExpiry))
	dst = binary.AppendUvarint(dst, uint64(h.due))
	dst = appendString(dst, h.place.Partition)
	if h.place.Partition != "" {
		dst = appendString(dst, h.place.Sort)
	}
	return dst
}

func decodeHead(b []byte) (h head, fields []byte, err error) {
	r := reader{b: b}
	h.expiry = backend.Expiry(r.uvarint()) + backend.NoExpiry
	h.due = backend.Expiry(r.uvarint())
	if h.place.Partition = string(r.string()); h.place.Partition != "" {
		h.place.Sort = string(r.string())
	}
	return h, r.b, r.err
}

// A stored field is a byte with its type and, for a number, the size of the value in bytes; then its name, then its value.
const (
	isText  = 0x20
	isBytes = 0x21
	mostNum = 16
)

// field is a field of a layout.
type field struct {
	slot backend.Slot
	name string
	tag  byte // without the size of a number
}

var fieldsByLayout sync.Map // *backend.Layout → []field

// fieldsOf returns the fields of a layout in the order in which they are stored.
func fieldsOf(l *backend.Layout) []field {
	if known, ok := fieldsByLayout.Load(l); ok {
		return known.([]field)
	}
	var all []field
	for _, slot := range l.Slots() {
		f := l.Field(slot)
		tag := map[backend.Kind]byte{backend.Number: 0, backend.Text: isText, backend.Bytes: isBytes}[f.Kind]
		all = append(all, field{slot, f.Name, tag})
	}
	fieldsByLayout.Store(l, all)
	return all
}

func appendFields(dst []byte, rec *backend.Record) []byte {
	for _, f := range fieldsOf(rec.Layout()) {
		if !rec.Has(f.slot) {
			continue
		}
		if text, ok := rec.Text(f.slot); ok {
			dst = appendString(append(dst, f.tag), f.name)
			dst = appendString(dst, text)
			continue
		}
		n, _ := rec.Num(f.slot)
		hi, lo := n.Parts()
		size := sizeOf(hi, lo)
		dst = appendString(append(dst, f.tag|size), f.name)
		var both [mostNum]byte
		binary.BigEndian.PutUint64(both[:8], uint64(hi))
		binary.BigEndian.PutUint64(both[8:], lo)
		dst = append(dst, both[mostNum-size:]...)
	}
	return dst
}

// sizeOf returns how many bytes of two's complement a number needs, 0 for zero.
func sizeOf(hi int64, lo uint64) byte {
	if hi == int64(lo)>>63 {
		if lo == 0 {
			return 0
		}
		return byte(bits.Len64(lo^uint64(hi))/8 + 1)
	}
	return byte(bits.Len64(uint64(hi^hi>>63))/8 + 9)
}

func decodeNum(b []byte) backend.Num {
	var both [mostNum]byte
	if len(b) > 0 && b[0] >= 0x80 {
		for i := range mostNum - len(b) {
			both[i] = 0xFF
		}
	}
	copy(both[mostNum-len(b):], b)
	return num.FromParts(int64(binary.BigEndian.Uint64(both[:8])), binary.BigEndian.Uint64(both[8:]))
}

// decodeFields fills out, whose layout is set. It is fastest for fields in the layout's order.
func decodeFields(b []byte, out *backend.Record) error {
	fields, next := fieldsOf(out.Layout()), 0
	r := reader{b: b}
	out.SetPresent()
	for len(r.b) > 0 {
		tag := r.bytes(1)[0]
		name := r.string()
		for next < len(fields) && fields[next].name != string(name) {
			next++
		}
		if next == len(fields) {
			slot, known := out.Layout().Slot(string(name))
			if !known {
				return unknown(&r, name, out.Layout())
			}
			for next = 0; fields[next].slot != slot; next++ {
			}
		}
		if err := setField(&r, tag, &fields[next], out); err != nil {
			return err
		}
	}
	return r.err
}

func unknown(r *reader, name []byte, l *backend.Layout) error {
	if r.err != nil {
		return r.err
	}
	return errField(string(name), l)
}

func setField(r *reader, tag byte, f *field, out *backend.Record) error {
	switch {
	case tag <= mostNum && f.slot.IsNumber():
		n := decodeNum(r.bytes(uint64(tag)))
		if r.err == nil {
			out.SetNum(f.slot, n)
		}
	case (tag == isText || tag == isBytes) && !f.slot.IsNumber():
		text := r.string()
		if r.err == nil {
			out.SetText(f.slot, string(text))
		}
	case tag <= mostNum || tag == isText || tag == isBytes:
		return errField(f.name, out.Layout())
	default:
		return errDamaged
	}
	return r.err
}

// decodeRecord fills out, whose layout is set, with a stored record.
func decodeRecord(b []byte, out *backend.Record) error {
	h, fields, err := decodeHead(b)
	if err == nil {
		err = decodeFields(fields, out)
	}
	out.SetExpiry(h.expiry)
	return err
}
