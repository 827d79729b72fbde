package memory

import "github.com/zeroae/zae-limiter-go/backend"

// home is what the records of one namespace and one sort in one shard have in common. All buckets have one sort, so
// millions of records share a few homes; one of a sort of its own has a home of its own.
type home struct {
	store     *Store
	shard     *shard
	namespace string
	sort      string
	count     int // records; guarded by the shard
}

type homeName struct{ namespace, sort string }

// homeLocked is the home of one record more.
func (sh *shard) homeLocked(s *Store, k *backend.Key) *home {
	name := homeName{k.Namespace, k.Sort}
	h := sh.homes[name]
	if h == nil {
		h = &home{store: s, shard: sh, namespace: k.Namespace, sort: k.Sort}
		if sh.homes == nil {
			sh.homes = make(map[homeName]*home, 1)
		}
		sh.homes[name] = h
	}
	h.count++
	return h
}

// leaveLocked is for a record that goes. The last one takes its home with it: what it says may be found nowhere else.
func (sh *shard) leaveLocked(h *home) {
	if h.count--; h.count == 0 {
		delete(sh.homes, homeName{h.namespace, h.sort})
	}
}
