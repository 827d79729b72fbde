package memory

// table finds records by their tags, by open addressing with linear probing. The position at which the search for a tag
// starts is proportional to the tag, so that a table may have any length. Tags are apart from the records, so that a
// search touches few lines of the processor's cache and no other record. There are no chains, which the garbage collector
// could only follow record by record.
type table struct {
	tags    []uint32 // 0: empty
	records []*record
	count   int
}

const leastTable = 8

// tagOf returns the part of a hash that the table keeps. The highest bits of the hash select the shard.
func tagOf(hash uint64) uint32 { return uint32(hash) | 1 }

func (t *table) start(tag uint32) int { return int(uint64(tag) * uint64(len(t.tags)) >> 32) }

func (t *table) after(i int) int {
	if i++; i < len(t.tags) {
		return i
	}
	return 0
}

// add puts a record into the table, which must not have it yet and grows by about half when it is seven eighths full.
func (t *table) add(tag uint32, r *record) {
	if t.count >= len(t.tags)/8*7 {
		was := *t
		n := len(was.tags) + max(leastTable, len(was.tags)/2&^7)
		*t = table{make([]uint32, n), make([]*record, n), 0}
		for i, tag := range was.tags {
			if tag != 0 {
				t.put(tag, was.records[i])
			}
		}
	}
	t.put(tag, r)
}

func (t *table) put(tag uint32, r *record) {
	i := t.start(tag)
	for t.tags[i] != 0 {
		i = t.after(i)
	}
	t.tags[i], t.records[i] = tag, r
	t.count++
}

// find returns the position of a record, which must be in the table.
func (t *table) find(tag uint32, r *record) int {
	i := t.start(tag)
	for t.records[i] != r {
		i = t.after(i)
	}
	return i
}

// remove removes the record at position i. It moves up the records behind it that would not be found otherwise, to no
// position before i, except around the end of the table.
func (t *table) remove(i int) {
	n := len(t.tags)
	for j := t.after(i); t.tags[j] != 0; j = t.after(j) {
		if (j-t.start(t.tags[j])+n)%n >= (j-i+n)%n {
			t.tags[i], t.records[i] = t.tags[j], t.records[j]
			i = j
		}
	}
	t.tags[i], t.records[i] = 0, nil
	t.count--
}
