package memory

import (
	"math"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// record is one record. There are millions of them, so that every byte counts, every pointer is work for the garbage
// collector, and every line of the processor's cache takes time. A record is allocated in one piece with its numbers, unless
// there are many: a bucket with two limits has ten numbers and takes four lines.
type record struct {
	group     *keyGroup // never changes, because the key does not
	partition string
	lock      spin.Lock
	within    within         // its place, if that is a part of the partition's text; guarded as apart is
	apart     *backend.Place // its place otherwise; written under the locks of shard, order and record, read under any of them
	body      backend.Record // guarded by lock; not present once the record was removed
}

// with is a record and the array A of its numbers.
type with[A any] struct {
	record
	numbers A
}

// capacity returns how many numbers a record for n numbers is allocated with; 0 if those are apart, because n is large.
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

// newRecord allocates a record. The capacity is a result of capacity.
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

// spares are records that a shard has allocated in advance. Records that are allocated together are neighbors in memory,
// which makes work easier for the garbage collector, because it visits one shard after the other.
type spares struct {
	capacity int // of all of them
	records  []*record
}

// sparesMost is how many are allocated at once: as many buckets as the collector manages in one piece.
const sparesMost = 32

// take returns a record for n numbers, for a shard that has count records. At most a sixteenth of them are spare.
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

// MemoOf implements [backend.Memo]: a record is its own memo.
func (r *record) MemoOf() backend.Key { return r.key() }

func (r *record) key() backend.Key {
	return backend.Key{Namespace: r.group.namespace, Partition: r.partition, Sort: r.group.sort}
}

// deadLocked reports whether r was removed.
func (r *record) deadLocked() bool { return !r.body.Present() }

// within is a place that is a part of the record's partition: its partition is partition[from:to], and its sort is
// partition[to+gap:]. The places of buckets are of this kind, so that they take four bytes and no pointers.
type within struct {
	from, gap uint8
	to        uint16 // 0: there is no place
}

// cut finds the place in a partition, and reports whether it is a part of it.
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

// place returns the place of the record, or the zero place if it is not in the index.
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

// setPlace sets the place of the record.
func (r *record) setPlace(p backend.Place) {
	in, ok := cut(r.partition, &p)
	if r.within, r.apart = in, nil; !ok {
		apart := p // so that p itself is not on the heap
		r.apart = &apart
	}
}
