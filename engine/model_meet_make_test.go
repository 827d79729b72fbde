package engine_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// deed is what a move does.
type deed uint8

const (
	callAcquire deed = iota
	callAllow
	callWait
	callConsume
	callRelease
	callFlush
	callCommit
	callRollback
	callInspect
	callSet
	callReset
	callRefresh
	doAdjustment // of a lease, in memory
	doCancel     // the context of a call ends
	doClose      // a process closes
	doCrash      // a process dies
	doReply      // a call on the store goes on
	doArrive     // a call that its caller has given up takes effect, or is lost
	doDrain      // all calls on the store complete
	doPassing    // time passes
	deeds
)

var deedNames = [deeds]string{
	"acquire", "allow", "wait", "consume", "release", "flush", "commit", "rollback", "inspect", "set", "reset", "refresh",
	"adjust", "cancel", "close", "crash", "reply", "arrive", "drain", "pass",
}

// fate is what becomes of a call on the store.
type fate uint8

const (
	answered  fate = iota
	carried        // carried out; its reply comes later
	rejected       // not carried out, and known not to be
	throttled      // the same, because the record is hot
	lost           // not carried out, but who knows
	unheard        // carried out, but who knows
	overdue        // the reply is lost, and it is carried out later
	fates
)

var fateNames = [fates]string{"ok", "carried out", "unavailable", "throttled", "request lost", "reply lost", "late"}

// move is one step of an episode.
type move struct {
	do     deed
	fate   fate
	proc   int
	entity int
	pick   int // which of the calls, leases or visits that there are
	plan   int
	tokens [2]int64
	d      time.Duration // that passes, or after which a context ends
}

func (m move) String() string {
	text := fmt.Sprintf("p%d %s", m.proc, deedNames[m.do])
	switch {
	case m.do <= callConsume:
		text += fmt.Sprintf(" e%d %v", m.entity, m.tokens)
	case m.do == callRelease, m.do == doAdjustment:
		text += fmt.Sprintf(" %v", m.tokens)
	case m.do == doReply, m.do == doArrive:
		text = deedNames[m.do] + " " + fateNames[m.fate]
	}
	if m.d != 0 {
		text += " " + m.d.String()
	}
	return text
}

// meetTraits are what an episode has.
type meetTraits struct {
	procs    int
	prefetch int // by bit: processes that prefetch
	honors   bool
	stored   bool // limits are stored; else requests bring them
	changes  bool // and changed
	cascade  bool // e0 and e1 are children of e2
	waits    bool
	leaves   bool
	leases   bool
	forces   bool
	resets   bool
	faults   bool
	hot      bool // writes are throttled
	slow     bool // time passes while the store works
	crashes  bool
	closes   bool
	reserve  time.Duration // MaxReserve
	skew     time.Duration
}

// gathering is an episode of the second model.
type gathering struct {
	seed uint64
	meetTraits
	palette [][]engine.Limit
	ahead   []time.Duration // of each process's clock
	moves   []move
}

// gatherer makes an episode.
type gatherer struct {
	*rand.Rand
	*gathering
}

func (g *gatherer) one(in int) bool { return g.IntN(in) == 0 }

func newGathering(seed uint64, most int) *gathering {
	g := &gatherer{rand.New(rand.NewPCG(seed, 78)), &gathering{seed: seed}}
	g.meetTraits = g.traits()
	for range g.procs {
		g.ahead = append(g.ahead, time.Duration(g.Int64N(int64(g.skew)+1)))
	}
	plans := 1
	if g.changes {
		plans = 3
	}
	two := g.one(3)
	for range plans {
		g.palette = append(g.palette, g.limits(two))
	}
	for range 20 + g.IntN(most-20) {
		g.moves = append(g.moves, g.move())
	}
	return g.gathering
}

func (g *gatherer) traits() (t meetTraits) {
	t = meetTraits{
		procs: 1 + g.IntN(3), honors: g.one(2), stored: g.one(2), cascade: g.one(4), waits: g.one(2), leaves: g.one(3), changes: g.one(4),
		leases: g.one(2), forces: g.one(2), resets: g.one(6), faults: g.one(4), slow: g.one(4),
		crashes: g.one(8), closes: g.one(6),
	}
	if g.one(2) {
		t.prefetch = g.IntN(1 << t.procs)
	}
	if g.one(6) { // nothing but pockets
		t = meetTraits{procs: t.procs, prefetch: 1<<t.procs - 1, honors: t.honors, stored: t.stored, crashes: t.crashes}
	}
	t.stored = t.stored || t.cascade || t.changes // parents have no limits but stored ones
	t.hot = t.faults && g.one(2)
	t.reserve = []time.Duration{0, 0, time.Second, 100 * time.Millisecond, -1}[g.IntN(5)]
	t.skew = []time.Duration{0, 0, 0, time.Millisecond, time.Second}[g.IntN(5)]
	return t
}

// limits are small and slow where all is exact, and large and fast where pockets are to fill.
func (g *gatherer) limits(two bool) (all []engine.Limit) {
	for _, name := range names[:2] {
		l := engine.Limit{Name: name, Capacity: 1 + g.Int64N(20), RefillAmount: 1 + g.Int64N(20), RefillPeriod: time.Second}
		if g.prefetch != 0 && !g.one(4) {
			l.Capacity, l.RefillAmount = 50+g.Int64N(1000), 50+g.Int64N(1000)
		}
		if g.one(4) {
			l.RefillPeriod = []time.Duration{999_999_937, time.Minute, 7 * time.Second}[g.IntN(3)]
		}
		if all = append(all, l); !two {
			break
		}
	}
	return all
}

func (g *gatherer) move() move {
	on := func(trait bool, weight int) int {
		if trait {
			return weight
		}
		return 0
	}
	trouble := g.faults || g.slow || g.leaves
	weights := [deeds]int{
		callAcquire: on(g.leases, 16), callAllow: 20, callWait: on(g.waits, 14), callInspect: 1, callSet: on(g.changes, 2), callReset: on(g.resets, 3),
		callRefresh: on(g.changes, 1), callConsume: on(g.leases, 4), callRelease: on(g.leases, 3), callFlush: on(g.leases && g.forces, 3),
		callCommit: on(g.leases, 4), callRollback: on(g.leases, 6), doAdjustment: on(g.leases && g.forces, 6), doCancel: on(g.leaves, 8),
		doReply: 40, doArrive: on(trouble, 3), doDrain: 3, doPassing: 14,
	}
	if g.one(20) {
		weights[doClose], weights[doCrash] = on(g.closes, 20), on(g.crashes, 20)
	}
	m := move{proc: g.IntN(g.procs), pick: g.IntN(8), plan: g.IntN(len(g.palette))}
	if m.do = deed((&maker{Rand: g.Rand}).likely(weights[:]...)); g.cascade {
		m.entity = g.IntN(3)
	}
	g.fill(&m)
	return m
}

// fill gives a move its amounts, its time and its fate.
func (g *gatherer) fill(m *move) {
	limits := g.palette[m.plan]
	for i := range limits {
		m.tokens[i] = g.amount(limits[i].Capacity)
	}
	switch m.do {
	case callWait:
		if g.one(2) {
			m.d = g.span(limits[0]) + 1
		}
	case doAdjustment:
		for i := range limits {
			if m.tokens[i] = g.Int64N(limits[i].Capacity + 1); g.one(2) {
				m.tokens[i] = -m.tokens[i] / 4
			}
		}
	case doReply, doArrive:
		m.fate = g.fate()
	case doPassing:
		m.d = g.span(limits[0])
	}
}

func (g *gatherer) amount(capacity int64) int64 {
	switch g.IntN(10) {
	case 0:
		return capacity
	case 1:
		return g.Int64N(capacity + 2)
	case 2:
		return 0
	case 3, 4:
		return 1 + capacity/4
	}
	return 1
}

func (g *gatherer) fate() fate {
	switch {
	case g.hot && g.one(8):
		return throttled
	case g.faults && g.one(6):
		return []fate{rejected, lost, unheard, unheard, overdue}[g.IntN(5)]
	case g.one(3):
		return carried
	}
	return answered
}

// span is how much time passes: often little, where pockets fill, and else what a token needs.
func (g *gatherer) span(l engine.Limit) time.Duration {
	token := max(1, l.RefillPeriod/time.Duration(l.RefillAmount))
	switch g.IntN(12) {
	case 0:
		return token + time.Duration(g.IntN(3)-1)
	case 1:
		return time.Duration(g.Int64N(int64(token) * l.Capacity))
	case 2:
		return time.Duration(g.Int64N(int64(2 * time.Second)))
	case 3:
		return 101 * time.Millisecond
	case 4, 5:
		return time.Duration(g.Int64N(int64(token) + 1))
	}
	return time.Duration(g.Int64N(int64(20 * time.Millisecond)))
}
