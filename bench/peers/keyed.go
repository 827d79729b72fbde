package peers

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
)

// maxKeys is the number of keys that any workload may use.
const maxKeys = 1_000_000

// keyNames returns the names of all keys; they are made once and belong to nobody, so no contender pays for them.
var keyNames = sync.OnceValue(func() []string {
	const width = len("user-0000000")
	var text strings.Builder
	text.Grow(maxKeys * width)
	for i := range maxKeys {
		fmt.Fprintf(&text, "user-%07d", i)
	}
	all, names := text.String(), make([]string, maxKeys)
	for i := range names {
		names[i] = all[i*width : (i+1)*width]
	}
	return names
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
	names     []string
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
	name := s.names[key]
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
	names     []string
	m         sync.Map
}

func newSynced[V any](freshFunc func() V) *synced[V] {
	return &synced[V]{freshFunc: freshFunc, names: keyNames()}
}

func (s *synced[V]) get(key int) V {
	name := s.names[key]
	if v, ok := s.m.Load(name); ok {
		return v.(V)
	}
	v, _ := s.m.LoadOrStore(name, s.freshFunc())
	return v.(V)
}
