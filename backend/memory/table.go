package memory

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

const (
	shardBits  = 8
	shardCount = 1 << shardBits
	chain      = 2 // records per chain, on average, at which a table doubles
	never      = math.MaxInt64
	recLines   = 5 // of the processor's cache, that a record of ten numbers takes
)

// rec is one record. There are millions: every byte counts, every pointer is work for the collector, and every line of
// the processor's cache is waited for. What a write needs comes first, its numbers next, where the record was made in one
// piece with them; with the ten of a bucket with two limits it is five lines.
type rec struct {
	home      *home // never changes, as the key does not
	next      *rec  // in its chain; guarded by the shard
	partition string
	sort      string
	lock      spin.Lock
	dead      bool           // removed; guarded by lock
	body      backend.Record // guarded by lock
	place     backend.Place  // written under shard, order and record; read under any of them
}

// newRec makes a record with room for n numbers, in one piece with them where those are not many.
func newRec(n int) *rec {
	switch {
	case n <= 6 || n > 14:
		return new(rec)
	case n > 10:
		r := new(struct {
			rec
			numbers [14]backend.Num
		})
		r.body.Settle(r.numbers[:])
		return &r.rec
	case n > 8:
		r := new(struct {
			rec
			numbers [10]backend.Num
		})
		r.body.Settle(r.numbers[:])
		return &r.rec
	default:
		r := new(struct {
			rec
			numbers [8]backend.Num
		})
		r.body.Settle(r.numbers[:])
		return &r.rec
	}
}

// home is what the records of one namespace in one shard have in common.
type home struct {
	store     *Store
	shard     *shard
	namespace string
}

// shard is a part of the table. Its lock guards which records there are.
type shard struct {
	lock    sync.RWMutex
	table   []*rec // chains by the low bits of the hash
	count   int
	listed  bool             // whether its records are in the store's order
	homes   map[string]*home // by namespace
	soonest atomic.Int64     // no record of the shard expires before; may be too low
}

func (s *Store) hash(k *backend.Key) uint64 {
	const odd = 0x9E3779B97F4A7C15
	h := maphash.String(s.seed, k.Partition)
	h = h*odd + maphash.String(s.seed, k.Sort)
	return h*odd + maphash.String(s.seed, k.Namespace)
}

func (s *Store) shard(hash uint64) *shard { return &s.shards[hash>>(64-shardBits)] }

func (r *rec) is(k *backend.Key) bool {
	return r.partition == k.Partition && r.sort == k.Sort && r.home.namespace == k.Namespace
}

func (r *rec) key() backend.Key {
	return backend.Key{Namespace: r.home.namespace, Partition: r.partition, Sort: r.sort}
}

// find needs the shard's lock, shared at least.
func (sh *shard) find(hash uint64, k *backend.Key) *rec {
	if len(sh.table) == 0 {
		return nil
	}
	for r := sh.table[hash&uint64(len(sh.table)-1)]; r != nil; r = r.next {
		if r.is(k) {
			return r
		}
	}
	return nil
}

// insertLocked makes a record of the write's key and place, with room for n numbers; body and order are the caller's to do.
func (sh *shard) insertLocked(s *Store, hash uint64, w *backend.Write, n int) *rec {
	if sh.count >= chain*len(sh.table) {
		sh.growLocked(s)
	}
	r := newRec(n)
	r.home, r.partition, r.sort = sh.homeLocked(s, w.Key.Namespace), w.Key.Partition, w.Key.Sort
	if w.Index != nil {
		r.place = *w.Index
	}
	at := &sh.table[hash&uint64(len(sh.table)-1)]
	r.next, *at = *at, r
	sh.count++
	return r
}

func (sh *shard) homeLocked(s *Store, namespace string) *home {
	h := sh.homes[namespace]
	if h == nil {
		h = &home{s, sh, namespace}
		if sh.homes == nil {
			sh.homes = make(map[string]*home, 1)
		}
		sh.homes[namespace] = h
	}
	return h
}

func (sh *shard) growLocked(s *Store) {
	old := sh.table
	sh.table = make([]*rec, max(2*len(old), 4))
	mask := uint64(len(sh.table) - 1)
	for _, r := range old {
		for r != nil {
			next := r.next
			k := r.key()
			at := &sh.table[s.hash(&k)&mask]
			r.next, *at = *at, r
			r = next
		}
	}
}

// unlinkLocked takes a record out of its chain.
func (sh *shard) unlinkLocked(s *Store, r *rec) {
	k := r.key()
	at := &sh.table[s.hash(&k)&uint64(len(sh.table)-1)]
	for *at != r {
		at = &(*at).next
	}
	*at, r.next = r.next, nil
	sh.count--
}

// expects lowers the shard's soonest expiry.
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
