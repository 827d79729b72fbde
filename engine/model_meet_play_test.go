package engine_test

import (
	"context"
	"log/slog"
	"sync"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// hall is an episode of the second model under way.
type hall struct {
	*gathering
	mu     sync.Mutex // guards all that follows; what is under way takes it, too
	inner  *memory.Store
	procs  []*party
	began  time.Time
	visits []*visit // under way
	loans  []*loan
	count  int
	wrong  string
	trace  []entry

	auto        bool         // calls on the store complete at once
	calls       []*storeCall // that wait
	gone        []*storeCall // that nobody waits for, and that may still take effect
	throttledAt time.Time

	seen     [3]backend.Record // buckets as they are
	packed   map[string][]schema.Term
	lives    [3]map[backend.Num]int
	past     [3][]version
	versions int
	resets   [3]int // of the bucket
	changed  [3]bool
	tallies  map[tallyKey]*tally
	bounds   [3][2]allowance
	stored   []configuration // the oldest first
}

// party is a process.
type party struct {
	*engine.Limiter
	dead, closing, closed bool
	life                  [3]int  // of each bucket, the latest that it has seen
	reset                 [3]bool // each bucket, itself: it has other desks then, and the old ones may see a life first
	sold                  [3]int  // of each bucket, the oldest of which it may hand out tokens
	known, own            [3]int  // which of the limits that were stored for each entity it must know, at least, and which it has stored last
	cleared, floor        [3]int  // place of the version of each bucket that its last reset has left, and of that which is complete
	used                  [3][2]int64
	forced                [3][2]int64 // what its leases have used beyond their charge
	acquires              [3]int64
	admitted              [3]int64 // acquires
	doubt                 [3]doubt
	recent                [3][2][]grant // admissions of late
}

// visit is a call of a limiter under way.
type visit struct {
	move
	id       int
	loan     *loan
	path     []int // buckets
	begun    time.Time
	deadline time.Time // zero: none
	ended    time.Time // when its context ended, zero: it has not
	cancel   context.CancelFunc
	life     [3]int      // that the process had seen when it began
	known    [3]int      // what its process knew of the stored limits when it began
	latest   int         // which were stored last when it began
	back     [3][2]int64 // what it refunds
	least    [3][2]int64 // available while it was under way, by the clock of its process
	crowd    [3][2]int64 // asked for by others of its process meanwhile
	closing  bool        // its process was closed before it began
}

// loan is a lease.
type loan struct {
	*engine.Lease
	proc       int
	path       []int
	first      [3]int // of the lives of each bucket that it may be of, and the last
	life       [3]int
	held       [3][2]int64 // by bucket, in its present life
	pending    [2]int64
	busy, over bool
}

// mostVisits are under way at a time.
const mostVisits = 12

// aGeneration brings virtual time to the years that the engine accepts.
const aGeneration = 30 * 365 * 24 * time.Hour

func newHall(e *gathering) *hall {
	h := &hall{gathering: e, inner: memory.New(nil), packed: map[string][]schema.Term{}, tallies: map[tallyKey]*tally{}}
	for b := range h.seen {
		h.seen[b].Reset(schema.BucketLayout)
		h.lives[b] = map[backend.Num]int{}
	}
	return h
}

func (h *hall) time() time.Time      { return time.Now() }
func (h *hall) since() time.Duration { return time.Since(h.began) }

func (h *hall) prefetches(p int) bool { return h.prefetch>>p&1 == 1 }

// open opens the processes. It runs in virtual time.
func (h *hall) open() {
	ctx := context.Background()
	h.began = time.Now()
	h.openBounds()
	admin, err := engine.New(h.inner, &engine.Options{Now: func() time.Time { return time.Now().Add(aGeneration) }})
	for i := 0; err == nil && h.cascade && i < 3; i++ {
		parent := map[bool]string{true: "e2"}[i < 2]
		err = admin.CreateEntity(ctx, engine.Entity{ID: entityName(i), Parent: parent, Cascade: i < 2}, anyParent)
	}
	if err == nil && h.gathering.stored {
		err = admin.SetResourceDefaults(ctx, anyResource, h.palette[0])
	}
	if err != nil {
		h.fail("%v", err)
	}
	admin.Close()
	h.reconfigured(new(party))
	for p := range h.gathering.procs {
		o := &engine.Options{
			Logger: slog.New(slog.DiscardHandler), MaxReserve: h.reserve, Observer: witness{h, p},
			Now: func() time.Time { return time.Now().Add(aGeneration + h.ahead[p]) },
		}
		if h.prefetches(p) {
			o.Prefetch = &engine.PrefetchOptions{}
		}
		l, err := engine.New(door{h, p}, o)
		if err != nil {
			h.fail("%v", err)
		}
		h.procs = append(h.procs, &party{Limiter: l})
	}
}

// play makes all moves, and what comes at the end of each episode.
func (h *hall) play() {
	h.open()
	for _, m := range h.moves {
		if h.failed() {
			break
		}
		h.count++
		h.make(m)
		h.rest()
	}
	h.finish()
}

func (h *hall) failed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wrong != ""
}

// rest waits until nothing moves any more.
func (h *hall) rest() {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sortCalls()
	h.checkAnswers()
	h.checkPockets()
}

// make makes a move.
func (h *hall) make(m move) {
	p := h.procs[m.proc]
	switch {
	case m.do <= callRefresh:
		if !p.dead && len(h.visits) < mostVisits {
			h.call(m)
		}
	case m.do == doAdjustment:
		h.adjust(m)
	case m.do == doCancel:
		if n := len(h.visits); n > 0 {
			h.leave(h.visits[m.pick%n])
		}
	case m.do == doReply:
		if n := len(h.calls); n > 0 {
			h.let(h.calls[min(m.pick, n-1)], m.fate)
		}
	case m.do == doArrive:
		if n := len(h.gone); n > 0 {
			h.arrive(h.gone[m.pick%n], m.fate)
		}
	case m.do == doDrain:
		h.drain()
	case m.do == doPassing:
		h.pass(m.d, h.slow && m.pick < 4)
	case m.do == doClose:
		h.close(m.proc)
	case m.do == doCrash:
		h.crash(m.proc)
	}
}

// drain completes all calls on the store.
func (h *hall) drain() {
	for n := 0; len(h.calls) > 0; n++ {
		if n > 10_000 {
			h.fail("the store is called without end")
			return
		}
		h.let(h.calls[0], answered)
		h.rest()
	}
}

// pass lets time pass. Unless slowly, all calls on the store complete before, and at once meanwhile.
func (h *hall) pass(d time.Duration, slowly bool) {
	if !slowly {
		h.drain()
	}
	h.say("pass %v", d) // nothing else is under way
	h.setAuto(!slowly)
	_ = pause.For(context.Background(), d)
	synctest.Wait()
	h.setAuto(false)
}

func (h *hall) setAuto(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.auto = on
}

// leave ends the context of a call.
func (h *hall) leave(v *visit) {
	h.mu.Lock()
	if v.ended.IsZero() {
		v.ended = h.time()
		h.say("visit %d: canceled", v.id)
	}
	h.mu.Unlock()
	v.cancel()
}

// close closes a process.
func (h *hall) close(proc int) {
	p := h.procs[proc]
	if p.closing || p.dead {
		return
	}
	h.mu.Lock()
	p.closing = true
	h.say("p%d closes", proc)
	h.mu.Unlock()
	go func() {
		err := p.Close()
		h.mu.Lock()
		defer h.mu.Unlock()
		if p.closed = true; err != nil {
			h.fail("Close: %v", err)
		}
	}()
}

// crash ends a process: what it does from now on reaches neither the store nor anybody.
func (h *hall) crash(proc int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.procs[proc].closing || h.procs[proc].dead {
		return
	}
	h.procs[proc].dead = true
	h.say("p%d dies", proc)
	for i := len(h.calls) - 1; i >= 0; i-- {
		if c := h.calls[i]; c.proc == proc {
			h.leaveBehind(c)
			c.reply <- backend.ErrOutcomeUnknown
		}
	}
}

// adjust adjusts a lease.
func (h *hall) adjust(m move) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.loan(m.pick)
	if l == nil {
		return
	}
	if err := l.Adjust(h.named(m.tokens, len(h.palette[0]))); err == nil {
		h.say("lease of p%d: adjust %v", l.proc, m.tokens)
		for i := range l.pending {
			l.pending[i] += m.tokens[i]
		}
	}
}

// loan is a lease that nobody uses now, nil if there is none.
func (h *hall) loan(pick int) *loan {
	if len(h.loans) == 0 {
		return nil
	}
	l := h.loans[len(h.loans)-1-pick%len(h.loans)]
	if l.busy || h.procs[l.proc].dead {
		return nil
	}
	return l
}

// named are tokens by name.
func (h *hall) named(tokens [2]int64, n int) engine.Tokens {
	all := engine.Tokens{}
	for i := range n {
		all[names[i]] = tokens[i]
	}
	return all
}
