package memory

import "github.com/zeroae/zae-limiter-go/backend"

// keyGroup is the part of the keys that the records of one shard with the same namespace and sort have in common. All
// buckets have one sort, so that millions of records share a few groups.
type keyGroup struct {
	store     *Store
	shard     *shard
	namespace string
	sort      string
	count     int // records; guarded by the shard
}

type keyGroupName struct{ namespace, sort string }

// joinLocked returns the group of a key, which has one more record from now on.
func (sh *shard) joinLocked(s *Store, k *backend.Key) *keyGroup {
	name := keyGroupName{k.Namespace, k.Sort}
	g := sh.groups[name]
	if g == nil {
		g = &keyGroup{store: s, shard: sh, namespace: k.Namespace, sort: k.Sort}
		if sh.groups == nil {
			sh.groups = make(map[keyGroupName]*keyGroup, 1)
		}
		sh.groups[name] = g
	}
	g.count++
	return g
}

// leaveLocked is called for a record that is removed. A group without records is removed, too, with the texts that it holds.
func (sh *shard) leaveLocked(g *keyGroup) {
	if g.count--; g.count == 0 {
		delete(sh.groups, keyGroupName{g.namespace, g.sort})
	}
}
