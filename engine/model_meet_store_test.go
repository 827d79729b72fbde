package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// door is the memory store as one process sees it: each call waits there until a move completes it. Like a remote store it does
// not know the greater of two numbers.
type door struct {
	*hall
	proc int
}

// storeCall is a call that waits. Its buffers are the engine's until it returns.
type storeCall struct {
	proc   int
	ctx    context.Context
	name   string
	writes []backend.Write
	outs   []backend.Outcome
	run    func(*storeCall) error
	did    bool // it was carried out
	delta  delta
	result error
	gone   bool // its caller has given it up
	reply  chan error
	begun  int64
}

// Capabilities implements [backend.Backend].
func (d door) Capabilities() backend.Capabilities {
	return backend.Capabilities{HonorsContext: d.honors}
}

// Close implements [backend.Backend].
func (d door) Close() error { return nil }

// Apply implements [backend.Backend].
func (d door) Apply(ctx context.Context, writes []backend.Write, outs []backend.Outcome) error {
	name := "apply " + writes[0].Key.Partition
	return d.wait(ctx, &storeCall{name: name, writes: writes, outs: outs, run: func(c *storeCall) error {
		err := d.inner.Apply(context.Background(), c.writes, c.outs)
		for i := range c.writes {
			if w := &c.writes[i]; err == nil && c.outs[i].Applied && w.Layout == schema.BucketLayout {
				c.delta = d.took(d.proc, w, &c.outs[i].Record)
			}
		}
		return err
	}})
}

// Read implements [backend.Backend].
func (d door) Read(ctx context.Context, keys []backend.Key, outs []backend.Record) error {
	return d.wait(ctx, &storeCall{name: "read " + keys[0].Partition, run: func(c *storeCall) error {
		if c.gone { // the buffers are the engine's again
			return nil
		}
		return d.inner.Read(context.Background(), keys, outs)
	}})
}

// List implements [backend.Backend].
func (d door) List(ctx context.Context, q backend.Query) (keys backend.Keys, err error) {
	err = d.wait(ctx, &storeCall{name: "list", run: func(c *storeCall) error {
		found, err := d.inner.List(context.Background(), q)
		if !c.gone {
			keys = found
		}
		return err
	}})
	return keys, err
}

// Commit implements [backend.Backend].
func (d door) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	return d.wait(ctx, &storeCall{name: "commit", writes: writes, run: func(c *storeCall) error {
		err := d.inner.Commit(context.Background(), token, c.writes)
		for i := range c.writes {
			if w := &c.writes[i]; err == nil && w.Layout == schema.BucketLayout {
				d.took(d.proc, w, d.read(w.Key))
			}
		}
		switch {
		case err != nil:
		case c.ctx.Err() != nil: // whoever has given up on the change learns of it as of one by others
			d.reconfigured(new(party))
		default:
			d.reconfigured(d.procs[d.proc])
		}
		return err
	}})
}

// read reads a record past all doors.
func (h *hall) read(k backend.Key) *backend.Record {
	var out [1]backend.Record
	out[0].Reset(schema.LayoutOf(k))
	if err := h.inner.Read(context.Background(), []backend.Key{k}, out[:]); err != nil {
		h.fail("%v", err)
	}
	return &out[0]
}

// wait waits until a move completes the call, or until ctx ends, where the store honors that.
func (d door) wait(ctx context.Context, c *storeCall) error {
	c.proc, c.ctx, c.reply, c.begun = d.proc, ctx, make(chan error, 1), d.time().UnixNano()
	d.mu.Lock()
	switch {
	case d.procs[d.proc].dead:
		d.mu.Unlock()
		return errUnreachable
	case d.auto:
		defer d.mu.Unlock()
		err := c.run(c)
		d.see(c, err)
		return err
	}
	d.calls = append(d.calls, c)
	d.mu.Unlock()
	done := ctx.Done()
	if !d.honors {
		done = nil
	}
	select {
	case err := <-c.reply:
		return err
	case <-done:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !c.gone {
		d.leaveBehind(c)
	}
	return fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, context.Cause(ctx))
}

// leaveBehind makes a call one that nobody waits for.
func (h *hall) leaveBehind(c *storeCall) {
	c.gone = true
	if i := slices.Index(h.calls, c); i >= 0 {
		h.calls = slices.Delete(h.calls, i, i+1)
	}
	h.doubt(c)
	if c.did {
		return
	}
	writes := make([]backend.Write, len(c.writes))
	for i := range c.writes {
		writes[i] = keep(&c.writes[i])
	}
	c.writes, c.outs = writes, make([]backend.Outcome, len(writes))
	for i := range c.outs {
		c.outs[i].Record.Reset(writes[i].Layout)
	}
	h.gone = append(h.gone, c)
}

// sortCalls makes the order of calls that came at once that of their names.
func (h *hall) sortCalls() {
	slices.SortStableFunc(h.calls, func(a, b *storeCall) int {
		return cmp.Or(cmp.Compare(a.begun, b.begun), cmp.Compare(a.proc, b.proc), cmp.Compare(a.name, b.name))
	})
}

// let lets a call go on.
func (h *hall) let(c *storeCall, f fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	writes := len(c.writes) > 0 && c.outs != nil
	switch { // commits are not what the model is about: none goes wrong, and of reads no outcome is unknown
	case c.did, f == answered, f == carried, !writes && (c.name == "commit" || f != rejected):
		if f != carried || c.did {
			f = answered
		}
	}
	if c.ctx.Err() != nil { // a store that does not honor contexts may have been given up

		h.doubt(c)
	}
	h.say("   p%d %s: %s", c.proc, c.name, fateNames[f])
	if (f == answered || f == carried || f == unheard) && !c.did {
		if c.did, c.result = true, c.run(c); c.ctx.Err() != nil {
			h.returned(c)
		}
	}
	if f == carried {
		return
	}
	if h.procs[c.proc].dead || f == unheard || f == lost || f == overdue {
		h.disappoint(c, f)
		return
	}
	h.calls = slices.DeleteFunc(h.calls, func(x *storeCall) bool { return x == c })
	err := c.result
	switch f {
	case rejected:
		err = errUnreachable
	case throttled:
		err = fmt.Errorf("%w: model", backend.ErrThrottled)
		h.throttledAt = h.time()
	}
	h.see(c, err)
	c.reply <- err
}

// disappoint ends a call whose outcome stays unknown to its caller.
func (h *hall) disappoint(c *storeCall, f fate) {
	h.leaveBehind(c)
	if f != overdue {
		h.gone = slices.DeleteFunc(h.gone, func(x *storeCall) bool { return x == c })
	}
	c.reply <- fmt.Errorf("%w: model", backend.ErrOutcomeUnknown)
}

// arrive lets a call take effect that nobody waits for, or loses it.
func (h *hall) arrive(c *storeCall, f fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = slices.DeleteFunc(h.gone, func(x *storeCall) bool { return x == c })
	if f == rejected || f == lost || c.name == "commit" {
		return
	}
	h.say("   p%d %s arrives late", c.proc, c.name)
	_ = c.run(c)
	h.returned(c)
}

// returned lets intervals have from now on what a call refunds that comes later than its caller knows.
func (h *hall) returned(c *storeCall) {
	for i, n := range c.delta.moved {
		if tokens := [2]int64{}; n < 0 {
			tokens[i] = -n
			h.grant([]int{entityOf(c.writes[0].Key)}, tokens, h.reserved()+4*time.Second)
		}
	}
}

// see notes which lives of buckets a process has seen. It is told of a reply.
func (h *hall) see(c *storeCall, err error) {
	for i := range c.outs {
		if err != nil || c.writes[i].Layout != schema.BucketLayout {
			continue
		}
		if born, ok := c.outs[i].Record.Num(schema.Born); ok {
			b := entityOf(c.writes[i].Key)
			p, life := h.procs[c.proc], h.lifeOf(b, born)
			p.life[b] = max(p.life[b], life)
			oneDesk := !h.changes && !p.reset[b] && (b < 2 || !h.cascade) // callers for a parent itself are not at the desk of its children's
			if !h.prefetches(c.proc) || oneDesk && buys(&c.writes[i]) {   // else the pocket may be older than what the process has seen
				p.sold[b] = max(p.sold[b], life)
			}
		}
	}
}

// buys reports whether a write is that of a caller or of a desk, and neither a settlement nor a reservation.
func buys(w *backend.Write) bool { return len(w.Conds) > 1 && w.Conds[1].Slot == schema.Path }

// lifeOf numbers the lives of a bucket.
func (h *hall) lifeOf(b int, born backend.Num) int {
	life, known := h.lives[b][born]
	if !known {
		life = len(h.lives[b]) + 1
		h.lives[b][born] = life
	}
	return life
}
