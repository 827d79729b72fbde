package peers

import (
	"hash/maphash"
	"time"
)

// floor is the least that two limits in one atomic step cost: GCRA with two arrival times per key, judged and moved
// together under the shard's lock.
type floor struct {
	limits    limits
	tolerance [2]int64
	epoch     time.Time
	tats      *sharded[*[2]int64]
}

func newFloor(l limits) peer {
	f := &floor{limits: l, epoch: now(), tats: newSharded(func() *[2]int64 { return new([2]int64) })}
	for i := range l {
		f.tolerance[i] = int64(l[i].window())
	}
	return f
}

func (f *floor) Allow2(key int) bool {
	s := f.tats
	name := s.names.at(key)
	sh := &s.shards[maphash.String(s.seed, name)%shardCount]
	at := int64(time.Since(f.epoch))
	sh.mu.Lock()
	tats, ok := sh.m[name]
	if !ok {
		tats = s.freshFunc()
		sh.m[name] = tats
	}
	a := max(tats[0], at) + int64(f.limits[0].Every)
	b := max(tats[1], at) + int64(f.limits[1].Every)
	fits := a-at <= f.tolerance[0] && b-at <= f.tolerance[1]
	if fits {
		tats[0], tats[1] = a, b
	}
	sh.mu.Unlock()
	return fits
}

func (*floor) Close() {}
