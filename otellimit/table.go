package otellimit

import (
	"maps"
	"sync"
	"sync/atomic"
)

// table is a map that is read far more often than it changes: a lookup takes no lock and allocates nothing. Safe for concurrent
// use.
type table[K comparable, V any] struct {
	entries atomic.Pointer[map[K]*V]
	lock    sync.Mutex // held while the map is replaced
}

// get returns the value of k, nil if there is none yet.
func (t *table[K, V]) get(k K) *V { return t.all()[k] }

// add returns the value of k. If there is none, it becomes the one that create returns; but if there are most values already, add
// returns the value of other instead.
func (t *table[K, V]) add(k, other K, most int, create func(K) *V) *V {
	t.lock.Lock()
	defer t.lock.Unlock()
	if len(t.all()) >= most && t.get(k) == nil {
		k = other
	}
	if v := t.get(k); v != nil {
		return v
	}
	grown := maps.Clone(t.all())
	if grown == nil {
		grown = map[K]*V{}
	}
	v := create(k)
	grown[k] = v
	t.entries.Store(&grown)
	return v
}

// drop removes the values of which gone is true.
func (t *table[K, V]) drop(gone func(K, *V) bool) {
	t.lock.Lock()
	defer t.lock.Unlock()
	left := maps.Clone(t.all())
	maps.DeleteFunc(left, gone)
	t.entries.Store(&left)
}

// all returns the values by their keys, in a map that nobody changes.
func (t *table[K, V]) all() map[K]*V {
	if entries := t.entries.Load(); entries != nil {
		return *entries
	}
	return nil
}
