package follow

import (
	"sync"
	"sync/atomic"
)

// table is a bounded map of entries by name. A full table drops an entry that was not used since the table last looked for
// one. The address of an entry is its identity: who has it can tell nobody anything any more once the table has dropped or
// replaced it. Safe for concurrent use.
type table[E any] struct {
	lock  sync.RWMutex
	most  int // weight
	total int
	slots map[string]*slot[E]
}

type slot[E any] struct {
	entry  E
	used   atomic.Bool
	weight int // guarded by the table's lock
}

func newTable[E any](most int) *table[E] {
	return &table[E]{most: most, slots: make(map[string]*slot[E])}
}

// get returns an entry that is used now; nil if there is none.
func (t *table[E]) get(name string) *E {
	t.lock.RLock()
	s := t.slots[name]
	t.lock.RUnlock()
	if s == nil {
		return nil
	}
	if !s.used.Load() {
		s.used.Store(true)
	}
	return &s.entry
}

// peek returns an entry without using it; nil if there is none.
func (t *table[E]) peek(name string) *E {
	t.lock.RLock()
	defer t.lock.RUnlock()
	if s := t.slots[name]; s != nil {
		return &s.entry
	}
	return nil
}

// add returns the entry, a new one if there is none.
func (t *table[E]) add(name string) *E {
	if e := t.get(name); e != nil {
		return e
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	s := t.slots[name]
	if s == nil {
		t.makeRoomLocked(1)
		s = &slot[E]{weight: 1}
		t.slots[name] = s
		t.total++
	}
	s.used.Store(true)
	return &s.entry
}

// grow counts that an entry has become heavier by one.
func (t *table[E]) grow(name string, e *E) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.makeRoomLocked(1)
	if s := t.slots[name]; s != nil && &s.entry == e {
		s.weight++
		t.total++
	}
}

// makeRoomLocked drops entries until there is room. A range over a map begins anywhere.
func (t *table[E]) makeRoomLocked(weight int) {
	for len(t.slots) > 0 && t.total+weight > t.most {
		for name, s := range t.slots {
			if !s.used.Swap(false) {
				t.dropLocked(name)
				break
			}
		}
	}
}

func (t *table[E]) dropLocked(name string) {
	if s := t.slots[name]; s != nil {
		t.total -= s.weight
		delete(t.slots, name)
	}
}

// drop drops an entry.
func (t *table[E]) drop(name string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.dropLocked(name)
}

// replace replaces an entry, if there is one, by a new one that inherits from it.
func (t *table[E]) replace(name string, inherit func(from, to *E)) {
	t.lock.Lock()
	defer t.lock.Unlock()
	old := t.slots[name]
	if old == nil {
		return
	}
	s := &slot[E]{weight: 1}
	s.used.Store(old.used.Load())
	inherit(&old.entry, &s.entry)
	t.total += s.weight - old.weight
	t.slots[name] = s
}

// renew puts a new entry in the place of one, if there is one. It is not used yet.
func (t *table[E]) renew(name string, init func(*E)) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.dropLocked(name)
	t.makeRoomLocked(1)
	s := &slot[E]{weight: 1}
	init(&s.entry)
	t.slots[name] = s
	t.total++
}

// clear drops all entries.
func (t *table[E]) clear() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.slots, t.total = make(map[string]*slot[E]), 0
}

// unused drops the entry of a name and returns true if it was not used since it was last asked for.
func (t *table[E]) unused(name string) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	s := t.slots[name]
	if s == nil || s.used.Swap(false) {
		return false
	}
	t.dropLocked(name)
	return true
}

// names returns the names of entries that match.
func (t *table[E]) names(matches func(*E) bool) (names []string) {
	t.lock.RLock()
	defer t.lock.RUnlock()
	for name, s := range t.slots {
		if matches(&s.entry) {
			names = append(names, name)
		}
	}
	return names
}
