package bench

import (
	"errors"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// ample never denies within a run, and is never full after the first decision. frozen admits once, and then no more.
var (
	ample  = []engine.Limit{engine.Every("rpm", 1, time.Millisecond).WithBurst(1 << 40), engine.Every("tpm", 1, time.Millisecond).WithBurst(1 << 40)}
	frozen = []engine.Limit{engine.PerDay("rpm", 1), engine.PerDay("tpm", 1)}
)

// usage is how the limiter is used.
type usage struct {
	limits  int // 1 or 2
	lease   bool
	options engine.Options
}

// limited is a limiter over a site.
type limited struct {
	*site
	usage
	limiter *engine.Limiter
	request engine.Request
}

// newLimited opens a limiter with every key in use: each was admitted once.
func newLimited(k kind, dir string, w workload, u usage) (*limited, error) {
	s, err := openSite(k, dir, w)
	if err != nil {
		return nil, err
	}
	limits := ample[:u.limits]
	if w.denied {
		limits = frozen[:u.limits]
	}
	u.options.Timeout = time.Minute // costs what any other one costs, and no slow disk ends a run
	l := &limited{site: s, usage: u, request: request(limits)}
	if l.limiter, err = engine.New(s.store, &u.options); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := errors.Join(l.family(w, limits), l.warm(w)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func request(limits []engine.Limit) engine.Request {
	r := engine.Request{Resource: resource, Limits: limits, Consume: engine.Tokens{}}
	for _, l := range limits {
		r.Consume[l.Name] = 1
	}
	return r
}

// family makes every key cascade to its ancestors; their limits are the resource's.
func (l *limited) family(w workload, limits []engine.Limit) error {
	if w.depth == 1 {
		return nil
	}
	for level := w.depth - 1; level >= 0; level-- {
		for i := range l.keys[level] {
			e := engine.Entity{ID: entityAt(level, i)}
			if level < w.depth-1 {
				e.Parent, e.Cascade = entityAt(level+1, above(i, 1)), true
			}
			if err := l.limiter.CreateEntity(background, e, nil); err != nil {
				return err
			}
		}
	}
	return l.limiter.SetResourceDefaults(background, resource, limits)
}

// warmers share the syncs of a durable store between them.
const warmers = 1024

func (l *limited) warm(w workload) error {
	errs := make([]error, min(warmers, w.keys))
	var group sync.WaitGroup
	for g := range errs {
		group.Go(func() {
			ask := l.allow()
			for key := g; key < w.keys; key += len(errs) {
				admitted, err := ask(key)
				if err == nil && !admitted {
					err = errWorkload
				}
				errs[g] = errors.Join(errs[g], err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func (l *limited) caller() asker {
	if l.lease {
		return l.acquire()
	}
	return l.allow()
}

func (l *limited) allow() asker {
	r := l.request
	return func(key int) (bool, error) {
		r.Entity = l.ids[key]
		decision, err := l.limiter.Allow(background, r)
		if decision.Degraded {
			err = errWorkload
		}
		return decision.Allowed, err
	}
}

// acquire takes a lease and commits it.
func (l *limited) acquire() asker {
	r := l.request
	return func(key int) (bool, error) {
		r.Entity = l.ids[key]
		lease, err := l.limiter.Acquire(background, r)
		if _, exceeded := errors.AsType[*engine.ExceededError](err); exceeded {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if lease.Degraded() {
			return false, errWorkload
		}
		return true, lease.Commit(background)
	}
}

func (l *limited) close() error { return errors.Join(l.limiter.Close(), l.site.close()) }
