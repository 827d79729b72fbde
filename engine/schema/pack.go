package schema

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// format is the first byte of packed limits.
const format = 1

// flagBrought marks a limit that a request brought, in the byte of kind and flags; the low four bits are the kind.
const (
	flagBrought = 0x80
	kindRate    = 0 // the continuous token bucket; further kinds come later
)

// Term is one limit of a bucket or of a level of configuration.
type Term struct {
	bucket.Limit
	Brought bool // by a request, not stored
}

// Pack is the canonical value of a list of limits: equal lists, in whatever order, have equal values.
// It sorts terms by name.
func Pack(terms []Term) string {
	slices.SortFunc(terms, func(a, b Term) int { return strings.Compare(a.Name, b.Name) })
	out := append(make([]byte, 0, 128), format) // two or three limits fit
	for i := range terms {
		t := &terms[i]
		flags := byte(kindRate)
		if t.Brought {
			flags |= flagBrought
		}
		out = append(out, flags, byte(len(t.Name)))
		out = append(out, t.Name...)
		out = binary.AppendUvarint(out, uint64(t.Capacity))
		out = binary.AppendUvarint(out, uint64(t.RefillAmount))
		out = binary.AppendUvarint(out, uint64(t.RefillPeriod))
	}
	return string(out)
}

// Unpack reads what Pack wrote; ErrFormat for anything else.
func Unpack(packed string) ([]Term, error) {
	if packed == "" || packed[0] != format {
		return nil, ErrFormat
	}
	var terms []Term
	for rest := packed[1:]; rest != ""; {
		term, tail, ok := unpackTerm(rest)
		if !ok || len(terms) == MaxLimits {
			return nil, ErrFormat
		}
		terms, rest = append(terms, term), tail
	}
	return terms, nil
}

func unpackTerm(s string) (t Term, rest string, ok bool) {
	if len(s) < 2 || len(s) < 2+int(s[1]) || s[0]&^flagBrought != kindRate {
		return t, "", false
	}
	t.Brought = s[0]&flagBrought != 0
	name := int(s[1])
	t.Name, s = s[2:2+name], s[2+name:]
	for _, v := range []*int64{&t.Capacity, &t.RefillAmount, (*int64)(&t.RefillPeriod)} {
		// Binary reads a byte slice; the longest number has ten bytes.
		n, size := binary.Uvarint([]byte(s[:min(len(s), binary.MaxVarintLen64)]))
		if size <= 0 {
			return t, "", false
		}
		*v, s = int64(n), s[size:]
	}
	return t, s, t.Check() == nil && t.RefillPeriod > time.Duration(0)
}
