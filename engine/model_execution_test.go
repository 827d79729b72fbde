package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// execution is an episode under way.
type execution struct {
	*episode
	now    int64 // the true time
	procs  []*process
	store  *watched
	stack  []*run // of steps, each inside the one before
	leases map[int]*held
	ideal  *ideal // nil where writers need not agree
	bound  *bound
	retry  time.Duration // of the last denial
	count  int           // steps
	wrong  string        // the first violation
	log    func(format string, args ...any)
}

// process is a limiter with a clock of its own.
type process struct {
	*engine.Limiter
	ahead int64
}

// run is a step under way.
type run struct {
	*step
	todo    []act
	guests  []*step
	reads   bool // it is in a call that reads
	calls   int  // on the store
	effects []*effect
	visited bool   // others came between
	end     func() // ends the context
}

// held is a lease, and what it must account for.
type held struct {
	*engine.Lease
	proc, entity int
	busy         bool // some step is using it
	epoch        int  // counts settlements that succeeded, and adjustments
	ledger
	account
}

// outcome is what a step was told.
type outcome struct {
	admitted bool
	lease    *held
	retry    time.Duration
	never    bool
	statuses []engine.LimitStatus
	err      error
}

const anyResource = "r"

// newExecution makes the world of an episode. log is told what happens, if it is not nil.
func newExecution(e *episode, agree bool, log func(string, ...any)) *execution {
	c := &execution{episode: e, now: e.start, leases: map[int]*held{}, log: log}
	c.store = &watched{inner: memory.New(nil), world: c, seen: map[backend.Key]*backend.Record{}, terms: map[string][]schema.Term{}}
	for i := range e.procs {
		c.procs = append(c.procs, c.process(e.clocks[i], i))
	}
	c.bound = newBound(c)
	if agree {
		c.ideal = newIdeal(c)
	}
	if e.family {
		c.stack = append(c.stack, &run{step: &step{plan: -1}})
		err := c.procs[0].CreateEntity(context.Background(), engine.Entity{ID: "e0", Parent: "e1"}, anyParent)
		if err != nil {
			c.fail("%v", err)
		}
		c.stack = nil
	}
	return c
}

func (c *execution) process(ahead int64, i int) *process {
	p := &process{ahead: ahead}
	o := &engine.Options{
		CacheSize: 64, Timeout: -1, ConfigTTL: -1, DenialTTL: -1, Logger: slog.New(slog.DiscardHandler), Observer: c,
		Now:   func() time.Time { return time.Unix(0, c.now+p.ahead) },
		Sleep: func(context.Context, time.Duration) error { return nil },
	}
	if c.stale && (c.ideal != nil || i > 0) || c.stale && c.episode.procs == 1 {
		o.ConfigTTL, o.FollowInterval = 1<<62, -1
		if c.follows {
			o.FollowInterval = time.Second
		}
	}
	if c.repeats {
		o.DenialTTL = 0
	}
	var store backend.Backend = local{c.store}
	if c.io {
		store = c.store
	}
	var err error
	if p.Limiter, err = engine.New(store, o); err != nil {
		c.fail("%v", err)
	}
	return p
}

func (c *execution) fail(format string, args ...any) {
	if c.wrong == "" {
		c.wrong = fmt.Sprintf(format, args...)
		c.say("WRONG: %s", c.wrong)
	}
}

func (c *execution) say(format string, args ...any) {
	if c.log != nil {
		c.log(format, args...)
	}
}

func (c *execution) top() *run { return c.stack[len(c.stack)-1] }

// play goes through the episode, up to the first violation.
func (c *execution) play() {
	ctx := context.Background()
	for _, s := range c.steps {
		if c.wrong != "" {
			break
		}
		c.store.sweep(ctx, c.now)
		c.do(ctx, s)
		c.bound.over()
	}
	for _, p := range c.procs {
		p.Close()
	}
}

// next is what befalls the call that is being made.
func (r *run) next() act {
	if len(r.todo) == 0 {
		return pass
	}
	a := r.todo[0]
	r.todo = r.todo[1:]
	return a
}

// inside lets the next guests of r act.
func (c *execution) inside(r *run) {
	for more := true; more && len(r.guests) > 0; {
		s := r.guests[0]
		r.guests, more = r.guests[1:], s.more
		if !c.blocked(r, s.proc) && !(charges(s) && c.charging(r, s.proc)) {
			r.visited = true
			reads := r.reads
			c.do(context.Background(), s)
			r.reads = reads
		}
	}
}

// blocked reports whether some step up to r may hold locks of the process: where that is reading, or has a store without
// I/O.
func (c *execution) blocked(r *run, proc int) bool {
	for _, f := range c.stack {
		if f.proc == proc && (f.reads || !c.io) {
			return true
		}
		if f == r {
			break
		}
	}
	return false
}

// do makes one step, and has it judged.
func (c *execution) do(ctx context.Context, s *step) {
	if c.wrong != "" {
		return
	}
	c.count++
	r := &run{step: s, todo: s.acts, guests: s.inner}
	c.stack = append(c.stack, r)
	c.say("%*s%d  %v", 2*len(c.stack), "", c.now-c.start, s)
	for _, p := range c.procs {
		p.CloseBreaker() // its pauses would keep most steps away from the store
	}
	if o := c.act(ctx, r); o != nil {
		c.say("%*s-> %v", 2*len(c.stack), "", o)
		if c.ideal != nil {
			c.ideal.judge(r, o)
		}
		c.bound.judge(r, o)
	}
	c.stack = c.stack[:len(c.stack)-1]
}

func (o *outcome) String() string {
	switch {
	case o.err != nil:
		return "error: " + o.err.Error()
	case o.admitted:
		return "done"
	}
	text := fmt.Sprintf("denied, retry after %v", int64(o.retry))
	for _, s := range o.statuses {
		text += fmt.Sprintf(", %s/%s %d", s.Entity, s.Limit.Name, s.Remaining)
	}
	return text
}

// act makes a step of whatever kind; nil where it cannot be made.
func (c *execution) act(ctx context.Context, r *run) *outcome {
	switch {
	case r.kind >= doConsume && r.kind <= doRollback:
		return c.useLease(ctx, r)
	case r.kind >= doPass && r.kind <= doClock:
		c.passTime(r.step)
		return nil
	}
	p, entity := c.procs[r.proc], entityName(r.entity)
	switch r.kind {
	case doAcquire, doAllow, doInspect:
		return c.ask(ctx, r)
	case doStore:
		return told(c.configure(ctx, r))
	case doUnstore:
		return told(c.unconfigure(ctx, r))
	case doReset:
		return told(p.ResetBucket(ctx, entity, anyResource))
	case doCascade:
		on := r.level%2 == 0
		_, err := p.UpdateEntity(ctx, "e0", engine.EntityUpdate{Cascade: &on}, nil)
		return told(err)
	case doDelete:
		if err := p.DeleteEntity(ctx, "e0", nil); err != nil {
			return told(err)
		}
		return told(p.CreateEntity(ctx, engine.Entity{ID: "e0", Parent: "e1", Cascade: r.level%2 == 0}, anyParent))
	case doLate:
		c.store.arrive(ctx, int(r.d))
	}
	return nil
}

func told(err error) *outcome { return &outcome{admitted: err == nil, err: err} }

func entityName(i int) string { return fmt.Sprintf("e%d", i) }

// request is what the step asks for.
func (c *execution) request(s *step) engine.Request {
	r := engine.Request{Entity: entityName(s.entity), Resource: anyResource, Consume: s.tokens}
	if s.plan >= 0 && s.over {
		r.Override = c.palette[s.plan]
	} else if s.plan >= 0 {
		r.Limits = c.palette[s.plan]
	}
	return r
}

func (c *execution) ask(ctx context.Context, r *run) *outcome {
	p, request, o := c.procs[r.proc], c.request(r.step), new(outcome)
	switch r.kind {
	case doAcquire:
		lease, err := p.Acquire(ctx, request)
		o.read(err)
		if err == nil {
			o.lease = &held{Lease: lease, proc: r.proc, entity: r.entity}
			o.lease.open(r, c.family)
			c.leases[r.id] = o.lease
		}
	case doAllow:
		var d engine.Decision
		d, o.err = p.Allow(ctx, request)
		o.admitted, o.retry, o.statuses = d.Allowed, d.RetryAfter, d.Statuses()
		for _, s := range d.Statuses() {
			o.never = o.never || s.NeverFits
		}
	default:
		if !r.over {
			o.statuses, o.err = p.Available(ctx, request.Entity, anyResource, request.Limits...)
		}
		if o.err == nil {
			o.retry, o.err = p.TimeUntilAvailable(ctx, request)
		}
		if o.never = errors.Is(o.err, engine.ErrNeverFits); o.never {
			o.err = nil
		}
		return o
	}
	if !o.admitted && o.err == nil {
		c.retry = o.retry
	}
	return o
}

// read tells a denial from an error.
func (o *outcome) read(err error) {
	var exceeded *engine.ExceededError
	if errors.As(err, &exceeded) {
		o.retry, o.never, o.statuses = exceeded.RetryAfter, exceeded.NeverFits, exceeded.Statuses()
		return
	}
	o.admitted, o.err = err == nil, err
}

func (c *execution) useLease(ctx context.Context, r *run) *outcome {
	h := c.leases[r.lease]
	if h == nil || h.busy {
		return nil
	}
	if n := len(c.stack); n > 1 {
		outer := c.stack[n-2]
		if c.blocked(outer, h.proc) || charges(r.step) && c.charging(outer, h.proc) {
			return nil
		}
	}
	r.step = ptr(*r.step)
	r.proc, r.entity = h.proc, h.entity // a lease is used where it was made
	h.busy = true
	defer func() { h.busy = false }()
	o := new(outcome)
	settling, cancel := context.WithCancel(ctx)
	defer cancel()
	switch r.ends {
	case early:
		cancel()
	case within:
		r.end = cancel
	}
	switch r.kind {
	case doConsume:
		o.read(h.Consume(ctx, r.tokens))
		return o
	case doAdjust:
		return told(h.Adjust(r.tokens))
	case doRelease:
		return told(h.Release(settling, r.tokens))
	case doFlush:
		return told(h.Flush(settling))
	case doCommit:
		return told(h.Commit(settling))
	default:
		return told(h.Rollback(settling))
	}
}

func ptr[T any](v T) *T { return &v }

// took is told of every write that took effect on a bucket.
func (c *execution) took(e *effect) {
	if !e.late {
		e.by.effects = append(e.by.effects, e)
	}
	c.say("%*s   e%d: used %v%v%v", 2*len(c.stack), "", e.entity, e.used, mark(e.silent, " unheard"), mark(e.ended, " life ended"))
	c.bound.took(e)
}

func mark(on bool, text string) string {
	if on {
		return text
	}
	return ""
}

// dropped is told of a record whose time was over.
func (c *execution) dropped(entity int, r *backend.Record, terms []schema.Term, now int64) {
	for i := range terms {
		if n, full := available(r, i, &terms[i], now); !full {
			c.fail("e%d was dropped with %d of %s available", entity, n, terms[i].Name)
		}
	}
	c.bound.last[entity] = ""
	c.bound.ends(entity)
	c.bound.order.eased[entity] = now
	if c.ideal != nil {
		c.ideal.buckets[entity].remove()
	}
}
