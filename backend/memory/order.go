package memory

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// order is the order of the records in listings. It is empty before the first listing.
type order struct {
	building sync.Mutex
	built    atomic.Bool

	lock    sync.RWMutex
	primary sorted // all records
	index   sorted // those with a place
}

// position is where a record is in an order: namespace, partition and sort of the key; or, in the index, namespace, partition
// and sort of the place, and then partition and sort of the key.
type position [5]string

func (r *record) position() position { return position{r.group.namespace, r.partition, r.group.sort} }

func (r *record) standing() position {
	at := r.place()
	return position{r.group.namespace, at.Partition, at.Sort, r.partition, r.group.sort}
}

func (p *position) compare(o *position) int {
	for i := range p {
		if c := cmp.Compare(p[i], o[i]); c != 0 {
			return c
		}
	}
	return 0
}

// behind returns the least position that is greater than all that begin with the first n parts of p.
func (p position) behind(n int) position {
	p[n-1] += "\x00"
	clear(p[n:])
	return p
}

func (o *order) addLocked(r *record) {
	o.primary.add(r)
	if r.place().Partition != "" {
		o.index.add(r)
	}
}

func (o *order) removeLocked(r *record) {
	o.primary.remove(r)
	o.index.remove(r)
}

// chunkMost is the largest number of records in a chunk.
const chunkMost = 512

// sorted is records in order, in chunks that are not empty.
type sorted struct {
	at     func(*record) position
	chunks [][]*record
}

// spot is a position between records: before chunks[chunk][i], or behind all.
type spot struct{ chunk, i int }

// seek returns the spot before the first record at or behind p.
func (s *sorted) seek(p position) spot {
	n, _ := slices.BinarySearchFunc(s.chunks, p, func(c []*record, p position) int {
		last := s.at(c[len(c)-1])
		return last.compare(&p)
	})
	if n == len(s.chunks) {
		return spot{n, 0}
	}
	i, _ := slices.BinarySearchFunc(s.chunks[n], p, func(r *record, p position) int {
		at := s.at(r)
		return at.compare(&p)
	})
	return spot{n, i}
}

func (s *sorted) add(r *record) {
	if len(s.chunks) == 0 {
		s.chunks = [][]*record{{r}}
		return
	}
	at := s.seek(s.at(r))
	if at.chunk == len(s.chunks) {
		at = spot{at.chunk - 1, len(s.chunks[at.chunk-1])}
	}
	c := slices.Insert(s.chunks[at.chunk], at.i, r)
	s.chunks[at.chunk] = c
	if len(c) > chunkMost {
		half := slices.Clone(c[len(c)/2:])
		clear(c[len(c)/2:])
		s.chunks[at.chunk] = c[:len(c)/2]
		s.chunks = slices.Insert(s.chunks, at.chunk+1, half)
	}
}

func (s *sorted) remove(r *record) {
	at := s.seek(s.at(r))
	if at.chunk == len(s.chunks) || s.chunks[at.chunk][at.i] != r {
		return
	}
	if c := slices.Delete(s.chunks[at.chunk], at.i, at.i+1); len(c) > 0 {
		s.chunks[at.chunk] = c
	} else {
		s.chunks = slices.Delete(s.chunks, at.chunk, at.chunk+1)
	}
}

// next moves over the next record and returns it, or nil at the end.
func (s *sorted) next(at *spot) *record {
	if at.chunk == len(s.chunks) {
		return nil
	}
	r := s.chunks[at.chunk][at.i]
	if at.i++; at.i == len(s.chunks[at.chunk]) {
		*at = spot{at.chunk + 1, 0}
	}
	return r
}

// previous moves back over a record and returns it, or nil at the beginning.
func (s *sorted) previous(at *spot) *record {
	if at.i == 0 {
		if at.chunk == 0 {
			return nil
		}
		at.chunk--
		at.i = len(s.chunks[at.chunk])
	}
	at.i--
	return s.chunks[at.chunk][at.i]
}
