package memory

import (
	"math"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// record is one record. There are millions: every byte counts, every pointer is work for the collector, and every line of
// the processor's cache is waited for. It is made in one piece with its numbers, where those are not
// many; a bucket with two limits, which has ten, is four lines.
type record struct {
	group     *keyGroup // never changes, as the key does not
	partition string
	lock      spin.Lock
	within    within         // its place, where that is in the partition's text; guarded as apart is
	apart     *backend.Place // its place, where that is not; written under shard, order and record; read under any of them
	body      backend.Record // guarded by lock; not present once the record was removed
}

// with is a record and its numbers, A of them.
type with[A any] struct {
	record
	numbers A
}

// capacity is how many numbers a record is made in one piece with, if it is to keep n; 0 where those are too many.
func capacity(n int) int {
	switch {
	case n <= 2:
		return 2
	case n <= 4:
		return 4
	case n <= 8:
		return 8
	case n <= 14:
		return n + n%2
	default:
		return 0
	}
}

// newRecord makes a record; capacity is one of those above.
func newRecord(capacity int) *record {
	switch capacity {
	case 2:
		r := new(with[[2]backend.Num])
		return r.reserve(r.numbers[:])
	case 4:
		r := new(with[[4]backend.Num])
		return r.reserve(r.numbers[:])
	case 8:
		r := new(with[[8]backend.Num])
		return r.reserve(r.numbers[:])
	case 10:
		r := new(with[[10]backend.Num])
		return r.reserve(r.numbers[:])
	case 12:
		r := new(with[[12]backend.Num])
		return r.reserve(r.numbers[:])
	case 14:
		r := new(with[[14]backend.Num])
		return r.reserve(r.numbers[:])
	default:
		return new(record)
	}
}

func (r *record) reserve(numbers []backend.Num) *record {
	r.body.Reserve(numbers)
	return r
}

// spares are records that a shard has made in advance. Those made at once lie side by side in memory: the collector, which
// comes shard by shard, need not look for each in another corner of the heap.
type spares struct {
	capacity int // of all of them
	records  []*record
}

// sparesMost is how many are made at once: as many buckets as the collector keeps account of in one place.
const sparesMost = 32

// take is a record for n numbers, for a shard that has count of them: never are more than a sixteenth spare.
func (s *spares) take(n, count int) *record {
	capacity := capacity(n)
	if len(s.records) == 0 {
		s.capacity = capacity
		for range min(count/16, sparesMost) {
			s.records = append(s.records, newRecord(capacity))
		}
	}
	last := len(s.records) - 1
	if last < 0 || s.capacity != capacity {
		return newRecord(capacity)
	}
	r := s.records[last]
	s.records[last], s.records = nil, s.records[:last]
	return r
}

func (r *record) is(k *backend.Key) bool {
	return r.partition == k.Partition && r.group.sort == k.Sort && r.group.namespace == k.Namespace
}

// MemoOf implements [backend.Memo]: a record in memory is its own memo.
func (r *record) MemoOf() backend.Key { return r.key() }

func (r *record) key() backend.Key {
	return backend.Key{Namespace: r.group.namespace, Partition: r.partition, Sort: r.group.sort}
}

// dead tells that r was removed; the caller holds its lock.
func (r *record) dead() bool { return !r.body.Present() }

// within is a place that is cut from a partition's text: partition[from:to], and as its sort all that is at to+gap and
// behind. So are the places of buckets, which makes them four bytes, and no pointers.
type within struct {
	from, gap uint8
	to        uint16 // 0: there is none
}

// cut finds the place in the text, if it is there.
func cut(text string, p *backend.Place) (within, bool) {
	sort := len(text) - len(p.Sort)
	if sort < 0 || text[sort:] != p.Sort {
		return within{}, false
	}
	from := strings.Index(text[:sort], p.Partition)
	to := from + len(p.Partition)
	if from < 0 || to == 0 || from > math.MaxUint8 || sort-to > math.MaxUint8 || to > math.MaxUint16 {
		return within{}, false
	}
	return within{uint8(from), uint8(sort - to), uint16(to)}, true
}

// place is where the record stands in the index; the zero place where it does not.
func (r *record) place() backend.Place {
	if r.within.to > 0 {
		in := r.within
		return backend.Place{Partition: r.partition[in.from:in.to], Sort: r.partition[int(in.to)+int(in.gap):]}
	}
	if r.apart != nil {
		return *r.apart
	}
	return backend.Place{}
}

// setPlace gives the record a place.
func (r *record) setPlace(p backend.Place) {
	in, ok := cut(r.partition, &p)
	if r.within, r.apart = in, nil; !ok {
		apart := p // so that p itself need not be on the heap
		r.apart = &apart
	}
}
