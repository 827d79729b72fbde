package peers

import "github.com/juju/ratelimit"

// jujuPair is github.com/juju/ratelimit, one bucket per limit.
type jujuPair struct{ a, b *ratelimit.Bucket }

func jujuPairs(l limits) func() jujuPair {
	one := func(l limit) *ratelimit.Bucket { return ratelimit.NewBucketWithQuantum(l.Every, l.Capacity, 1) }
	return func() jujuPair { return jujuPair{one(l[0]), one(l[1])} }
}

type jujuSharded struct{ keys *sharded[jujuPair] }

func newJujuSharded(l limits) peer { return &jujuSharded{newSharded(jujuPairs(l))} }

func (j *jujuSharded) Allow2(key int) bool {
	p := j.keys.get(key)
	return p.a.TakeAvailable(1) == 1 && p.b.TakeAvailable(1) == 1
}

func (*jujuSharded) Close() {}

type jujuSyncMap struct{ keys *synced[jujuPair] }

func newJujuSyncMap(l limits) peer { return &jujuSyncMap{newSynced(jujuPairs(l))} }

func (j *jujuSyncMap) Allow2(key int) bool {
	p := j.keys.get(key)
	return p.a.TakeAvailable(1) == 1 && p.b.TakeAvailable(1) == 1
}

func (*jujuSyncMap) Close() {}
