package peers

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
)

// maxKeys is the number of keys that any workload may use.
const maxKeys = 1_000_000

// names are the keys' names, cut from one text: they belong to nobody, so no contender pays for them, and they hold no
// pointers that a collection would have to follow on some contender's account.
type names string

const nameWidth = len("user-0000000")

func (n names) at(key int) string { return string(n[key*nameWidth : (key+1)*nameWidth]) }

// keyNames returns the names of all keys.
var keyNames = sync.OnceValue(func() names {
	var text strings.Builder
	text.Grow(maxKeys * nameWidth)
	for i := range maxKeys {
		fmt.Fprintf(&text, "user-%07d", i)
	}
	return names(text.String())
})

const shardCount = 256

// shard is one map with its lock, on a cache line pair of its own.
type shard[V any] struct {
	mu sync.Mutex
	m  map[string]V
	_  [112]byte
}

// sharded is a map with a mutex per shard, for peers that have no keys.
type sharded[V any] struct {
	freshFunc func() V
	names     names
	seed      maphash.Seed
	shards    [shardCount]shard[V]
}

func newSharded[V any](freshFunc func() V) *sharded[V] {
	s := &sharded[V]{freshFunc: freshFunc, names: keyNames(), seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].m = make(map[string]V)
	}
	return s
}

// get returns what the key has, made at first use. The lock is held for the lookup only.
func (s *sharded[V]) get(key int) V {
	name := s.names.at(key)
	sh := &s.shards[maphash.String(s.seed, name)%shardCount]
	sh.mu.Lock()
	v, ok := sh.m[name]
	if !ok {
		v = s.freshFunc()
		sh.m[name] = v
	}
	sh.mu.Unlock()
	return v
}

// synced is a [sync.Map], for peers that have no keys. V is a pointer.
type synced[V any] struct {
	freshFunc func() V
	names     names
	m         sync.Map
}

func newSynced[V any](freshFunc func() V) *synced[V] {
	return &synced[V]{freshFunc: freshFunc, names: keyNames()}
}

func (s *synced[V]) get(key int) V {
	name := s.names.at(key)
	if v, ok := s.m.Load(name); ok {
		return v.(V)
	}
	v, _ := s.m.LoadOrStore(name, s.freshFunc())
	return v.(V)
}
