package engine_test

import (
	"context"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// staleTime is how long an episode of stale configuration lasts if the store does I/O. A limiter reads the records of an entity again
// after 65 hours or more, in the background, where no step can be repeated.
const staleTime = 64 * time.Hour

// passTime lets time pass, or sets a clock, within what clocks may say.
func (c *execution) passTime(s *step) {
	to := c.now
	switch s.kind {
	case doPass:
		to += s.d
	case doWait:
		if c.retry < 1<<55 {
			to += max(0, int64(c.retry)-s.d)
		}
	case doIdle:
		for k, r := range c.store.seen {
			if e := r.Expiry(); r.Present() && e != backend.NoExpiry && entityOf(k) == s.entity && int64(e) < bucket.MaxTime/int64(time.Second) {
				to = max(to, (int64(e)+1)*int64(time.Second))
			}
		}
	case doClock:
		if c.ideal == nil {
			c.procs[s.proc].ahead = s.d
			return
		}
		to += s.d
	}
	if c.stale && c.io && to-c.start > int64(staleTime) {
		return
	}
	if to > bucket.MinTime+int64(time.Minute) && to < bucket.MaxTime-int64(time.Minute) {
		c.now = to
	}
}

func (c *execution) configure(ctx context.Context, r *run) error {
	p, limits := c.procs[r.proc], c.palette[r.plan]
	switch r.level {
	case 0:
		return p.SetLimits(ctx, entityName(r.entity), anyResource, limits)
	case 1:
		return p.SetLimits(ctx, entityName(r.entity), "", limits)
	case 2:
		return p.SetResourceDefaults(ctx, anyResource, limits)
	}
	return p.SetSystemDefaults(ctx, limits, nil)
}

func (c *execution) unconfigure(ctx context.Context, r *run) error {
	p := c.procs[r.proc]
	switch r.level {
	case 0:
		return p.DeleteLimits(ctx, entityName(r.entity), anyResource)
	case 1:
		return p.DeleteLimits(ctx, entityName(r.entity), "")
	case 2:
		return p.DeleteResourceDefaults(ctx, anyResource)
	}
	return p.DeleteSystemDefaults(ctx)
}

// charging reports whether some step up to r of the process charges a bucket: another one would wait for its write.
func (c *execution) charging(r *run, proc int) bool {
	for _, f := range c.stack {
		if f.proc == proc && charges(f.step) {
			return true
		}
		if f == r {
			break
		}
	}
	return false
}

func charges(s *step) bool {
	return s.kind == doAcquire || s.kind == doAllow || s.kind >= doConsume && s.kind <= doRollback
}
