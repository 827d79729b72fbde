package peers

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

func init() {
	contenders = append(contenders,
		contender{name: "ours-allow", algorithm: tokenBucket, kind: kindOurs, openFunc: newOursAllow},
		contender{name: "ours-allow-stored", algorithm: tokenBucket, kind: kindOurs, openFunc: newOursStored},
		contender{name: "ours-acquire", algorithm: tokenBucket, kind: kindOurs, openFunc: newOursAcquire},
	)
}

// ours is the limiter on the memory store: both limits in one atomic step. The request is reused; each key is an entity.
type ours struct {
	names   []string
	store   *memory.Store
	limiter *engine.Limiter
	request engine.Request
}

func newOurs(l limits) ours {
	store := memory.New(nil)
	limiter, err := engine.New(store, nil)
	must(err)
	return ours{keyNames(), store, limiter, engine.Request{
		Resource: "gpt-4",
		Consume:  engine.Tokens{"rpm": 1, "tpm": 1},
		Limits: []engine.Limit{
			engine.Every("rpm", 1, l[0].Every).WithBurst(l[0].Capacity),
			engine.Every("tpm", 1, l[1].Every).WithBurst(l[1].Capacity),
		},
	}}
}

func (o *ours) Close() {
	must(o.limiter.Close())
	must(o.store.Close())
}

// oursAllow asks with the limits in the request.
type oursAllow struct{ ours }

func newOursAllow(l limits) peer { return &oursAllow{newOurs(l)} }

func (o *oursAllow) Allow2(key int) bool {
	request := o.request
	request.Entity = o.names[key]
	decision, err := o.limiter.Allow(context.Background(), request)
	if err != nil || decision.Degraded {
		panic(fmt.Errorf("peers: ours: no answer: %w", err))
	}
	return decision.Allowed
}

// newOursStored asks with the limits stored as the system's defaults, none in the request.
func newOursStored(l limits) peer {
	o := &oursAllow{newOurs(l)}
	must(o.limiter.SetSystemDefaults(context.Background(), o.request.Limits, nil))
	o.request.Limits = nil
	return o
}

// oursAcquire takes a lease and commits it.
type oursAcquire struct{ ours }

func newOursAcquire(l limits) peer { return &oursAcquire{newOurs(l)} }

func (o *oursAcquire) Allow2(key int) bool {
	ctx, request := context.Background(), o.request
	request.Entity = o.names[key]
	lease, err := o.limiter.Acquire(ctx, request)
	if _, exceeded := errors.AsType[*engine.ExceededError](err); exceeded {
		return false
	}
	must(err)
	must(lease.Commit(ctx))
	return true
}
