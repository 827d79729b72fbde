package memory

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
)

const (
	shardBits  = 8
	shardCount = 1 << shardBits
	never      = math.MaxInt64
)

// shard is a part of the store. Its lock guards all but soonest, and which records there are.
type shard struct {
	lock    sync.RWMutex
	table   table
	spares  spares
	listed  bool                       // whether its records are in the store's order
	groups  map[keyGroupName]*keyGroup // those of its records
	soonest atomic.Int64               // no record of the shard expires before this time, in seconds since the Unix epoch
}

func (s *Store) hash(k *backend.Key) uint64 {
	const odd = 0x9E3779B97F4A7C15
	h := maphash.String(s.seed, k.Partition)
	h = h*odd + maphash.String(s.seed, k.Sort)
	return h*odd + maphash.String(s.seed, k.Namespace)
}

func (s *Store) shard(hash uint64) *shard { return &s.shards[hash>>(64-shardBits)] }

// findLocked returns the record of a key, or nil. The caller holds the shard's lock, at least for reading.
func (sh *shard) findLocked(hash uint64, k *backend.Key) *record {
	t := &sh.table
	if t.count == 0 {
		return nil
	}
	tag := tagOf(hash)
	for i := t.start(tag); t.tags[i] != 0; i = t.after(i) {
		if t.tags[i] == tag && t.records[i].is(k) {
			return t.records[i]
		}
	}
	return nil
}

// insertLocked creates a record with the write's key and place, and capacity for n numbers. The caller sets its values and
// puts it into the order.
func (sh *shard) insertLocked(s *Store, hash uint64, w *backend.Write, n int) *record {
	r := sh.spares.take(n, sh.table.count)
	r.group, r.partition = sh.joinLocked(s, &w.Key), w.Key.Partition
	if w.Index != nil {
		r.setPlace(*w.Index)
	}
	sh.table.add(tagOf(hash), r)
	return r
}

// unlinkLocked removes a record from the table.
func (sh *shard) unlinkLocked(s *Store, r *record) {
	k := r.key()
	sh.table.remove(sh.table.find(tagOf(s.hash(&k)), r))
	sh.leaveLocked(r.group)
}

// expects lowers the shard's earliest expiry.
func (sh *shard) expects(e backend.Expiry) {
	if e <= 0 {
		return
	}
	for {
		was := sh.soonest.Load()
		if int64(e) >= was || sh.soonest.CompareAndSwap(was, int64(e)) {
			return
		}
	}
}
