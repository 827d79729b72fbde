package peers

import "github.com/juju/ratelimit"

// juju makes github.com/juju/ratelimit's buckets of one limit.
func juju(l limit) func() *ratelimit.Bucket {
	return func() *ratelimit.Bucket { return ratelimit.NewBucketWithQuantum(l.Every, l.Capacity, 1) }
}

// jujuSharded calls TakeAvailable twice.
type jujuSharded struct{ a, b *sharded[*ratelimit.Bucket] }

func newJujuSharded(l limits) peer {
	return &jujuSharded{newSharded(juju(l[0])), newSharded(juju(l[1]))}
}

func (j *jujuSharded) Allow2(key int) bool {
	return j.a.get(key).TakeAvailable(1) == 1 && j.b.get(key).TakeAvailable(1) == 1
}

func (*jujuSharded) Close() {}

// jujuSyncMap calls TakeAvailable twice.
type jujuSyncMap struct{ a, b *synced[*ratelimit.Bucket] }

func newJujuSyncMap(l limits) peer {
	return &jujuSyncMap{newSynced(juju(l[0])), newSynced(juju(l[1]))}
}

func (j *jujuSyncMap) Allow2(key int) bool {
	return j.a.get(key).TakeAvailable(1) == 1 && j.b.get(key).TakeAvailable(1) == 1
}

func (*jujuSyncMap) Close() {}

// jujuPair is both buckets of a key behind one look-up.
type jujuPair struct{ a, b *ratelimit.Bucket }

type jujuPaired struct{ keys *synced[*jujuPair] }

func newJujuPaired(l limits) peer {
	one, two := juju(l[0]), juju(l[1])
	return &jujuPaired{newSynced(func() *jujuPair { return &jujuPair{one(), two()} })}
}

func (j *jujuPaired) Allow2(key int) bool {
	p := j.keys.get(key)
	return p.a.TakeAvailable(1) == 1 && p.b.TakeAvailable(1) == 1
}

func (*jujuPaired) Close() {}
