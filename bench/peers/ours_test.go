package peers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

func init() {
	contenders = append(contenders,
		contender{name: "ours-allow", algorithm: tokenBucket, kind: kindOurs, openFunc: newOursAllow},
		contender{name: "ours-allow-stored", algorithm: tokenBucket, kind: kindOurs, openFunc: newOursStored},
		contender{name: "ours-pocket", algorithm: tokenBucket, kind: kindOurs, openFunc: newOursPocket},
		contender{name: "ours-acquire", algorithm: tokenBucket, kind: kindOurs, openFunc: newOursAcquire},
	)
}

// ours is the limiter on the memory store: both limits in one atomic step. Each key is an entity. The request is reused:
// as it is for the first key, the only one of a hot workload, and with another entity for the others.
type ours struct {
	names   names
	store   backend.Backend
	limiter *engine.Limiter
	request engine.Request
}

func newOurs(l limits) ours { return newOursOver(memory.New(nil), nil, l) }

func newOursOver(store backend.Backend, o *engine.Options, l limits) ours {
	limiter, err := engine.New(store, o)
	must(err)
	return ours{keyNames(), store, limiter, engine.Request{
		Entity:   keyNames().at(0),
		Resource: "gpt-4",
		Consume:  engine.Tokens{"rpm": 1, "tpm": 1},
		Limits: []engine.Limit{
			every("rpm", l[0]),
			every("tpm", l[1]),
		},
	}}
}

// every is a limit of one token in each interval; periods of less than a millisecond become a thousandth of the rate.
func every(name string, l limit) engine.Limit {
	n, period := int64(1), l.Every
	if period < time.Millisecond {
		n, period = int64(time.Millisecond/period), time.Millisecond
	}
	return engine.Every(name, n, period).WithBurst(l.Capacity)
}

func (o *ours) Close() {
	must(o.limiter.Close())
	must(o.store.Close())
}

// oursAllow asks with the limits in the request.
type oursAllow struct{ ours }

func newOursAllow(l limits) peer { return &oursAllow{newOurs(l)} }

func (o *oursAllow) Allow2(key int) bool {
	if key == 0 {
		decision, err := o.limiter.Allow(context.Background(), o.request)
		return answered(decision.Allowed, decision.Degraded, err)
	}
	request := o.request
	request.Entity = o.names.at(key)
	decision, err := o.limiter.Allow(context.Background(), request)
	return answered(decision.Allowed, decision.Degraded, err)
}

func answered(allowed, degraded bool, err error) bool {
	if err != nil || degraded {
		panic(fmt.Errorf("peers: ours: no answer: %w", err))
	}
	return allowed
}

// newOursStored asks with the limits stored as the system's defaults, none in the request.
func newOursStored(l limits) peer {
	o := &oursAllow{newOurs(l)}
	must(o.limiter.SetSystemDefaults(context.Background(), o.request.Limits, nil))
	o.request.Limits = nil
	return o
}

// newOursPocket asks for tokens that were bought in advance, over a store that the engine takes for one with I/O.
func newOursPocket(l limits) peer {
	store := backend.Wrap(memory.New(nil), &backend.WrapOptions{HonorsContext: true})
	return &oursAllow{newOursOver(store, &engine.Options{Prefetch: &engine.PrefetchOptions{}}, l)}
}

// oursAcquire takes a lease and commits it.
type oursAcquire struct{ ours }

func newOursAcquire(l limits) peer { return &oursAcquire{newOurs(l)} }

func (o *oursAcquire) Allow2(key int) bool {
	if key == 0 {
		return o.committed(o.limiter.Acquire(context.Background(), o.request))
	}
	request := o.request
	request.Entity = o.names.at(key)
	return o.committed(o.limiter.Acquire(context.Background(), request))
}

func (*oursAcquire) committed(lease *engine.Lease, err error) bool {
	if _, exceeded := errors.AsType[*engine.ExceededError](err); exceeded {
		return false
	}
	must(err)
	must(lease.Commit(context.Background()))
	return true
}
