package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// kind is what a step of the model does.
type kind uint8

const (
	doAcquire kind = iota
	doAllow
	doConsume
	doAdjust
	doRelease
	doFlush
	doCommit
	doRollback
	doPass    // time passes
	doWait    // the time of the last denial passes, less d
	doIdle    // time passes until the bucket's record may be dropped
	doClock   // a clock is set
	doStore   // limits are stored
	doUnstore // limits are removed
	doReset
	doInspect
	doCascade // the child's cascade is switched
	doDelete  // the entity is deleted
	doLate    // a write that was under way arrives
	kinds
)

var kindNames = [kinds]string{
	"acquire", "allow", "consume", "adjust", "release", "flush", "commit", "rollback", "pass", "wait", "idle", "clock",
	"store", "unstore", "reset", "inspect", "cascade", "delete", "late",
}

// act is what befalls a call on the store.
type act uint8

const (
	pass        act = iota
	before          // another step comes before the call
	after           // another step comes between the call and its answer
	fail            // not carried out, and known not to be
	race            // the same, for having met another write
	loseRequest     // not carried out, but who knows
	loseReply       // carried out, but who knows
	arriveLate      // carried out by a later step, but who knows
	acts
)

var actNames = [acts]string{"pass", "before", "after", "fail", "race", "lose request", "lose reply", "late"}

// ending is when a context ends.
type ending uint8

const (
	never  ending = iota
	early         // before the call
	within        // when the store is called
	endings
)

var endingNames = [endings]string{"", " with an ended context", " with a context that ends meanwhile"}

// names are the limits of the model.
var names = [3]string{"a", "b", "c"}

// step is one operation of one process.
type step struct {
	id     int // by which later steps name the lease that it made
	kind   kind
	proc   int
	entity int // 0: the child, 1: the parent
	lease  int
	tokens engine.Tokens
	plan   int // which limits are stored or brought, -1: none
	over   bool
	level  int // where limits are stored: entity and resource, entity, resource, system
	d      int64
	acts   []act   // that befall its calls
	inner  []*step // that come before or after them
	more   bool    // the next of them comes at once, too
	ends   ending  // of the context with which a lease is settled
}

func (s *step) String() string {
	text := fmt.Sprintf("%d: p%d %s e%d", s.id, s.proc, kindNames[s.kind], s.entity)
	if s.kind >= doConsume && s.kind <= doRollback {
		text += fmt.Sprintf(" lease %d", s.lease)
	}
	if s.tokens != nil {
		text += fmt.Sprint(" ", s.tokens)
	}
	if s.plan >= 0 {
		text += fmt.Sprintf(" plan %d", s.plan)
		if s.over {
			text += " override"
		}
	}
	if s.kind == doStore || s.kind == doUnstore {
		text += fmt.Sprintf(" level %d", s.level)
	}
	if s.d != 0 {
		text += " " + time.Duration(s.d).String()
	}
	text += endingNames[s.ends]
	for _, a := range s.acts {
		text += " [" + actNames[a] + "]"
	}
	for _, in := range s.inner {
		text += "\n    inside: " + strings.ReplaceAll(in.String(), "\n", "\n    ")
	}
	return text
}

// traits are what an episode has of what a model may have: each leaves most of it out, so that bounds are sharp.
type traits struct {
	procs    int
	io       bool // the store is remote: calls may go wrong
	faults   bool
	nested   bool          // others come while a process waits for the store
	skew     time.Duration // between the first clock and the last
	steps    bool          // clocks are set
	brings   bool          // requests bring limits
	disagree bool          // not always the same
	override bool
	stores   bool // limits are stored, and changed
	resets   bool
	leases   bool
	forces   bool
	settles  bool // most steps are those of leases
	idles    bool
	family   bool // the child may cascade to the parent
	stale    bool // configuration is trusted for ever
	follows  bool // but changes are looked for, which a limiter with I/O does in the background, where no step can be repeated
	repeats  bool // denials are repeated from memory
	huge     bool // limits of the whole legal range
}

// episode is a world and what happens in it.
type episode struct {
	seed uint64
	traits
	start   int64
	clocks  []int64 // by which each process is ahead
	palette [][]engine.Limit
	steps   []*step
}

// maker makes the steps of an episode.
type maker struct {
	*rand.Rand
	e      *episode
	ids    int
	leases []int
	lease  int // used last
}

func (m *maker) one(in int) bool { return m.IntN(in) == 0 }

// likely is one of weights' indices.
func (m *maker) likely(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at := m.IntN(sum)
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	panic("unreachable")
}

// newEpisode makes an episode in which all writers agree, or one in which they do not.
func newEpisode(seed uint64, agree bool, most int) *episode {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 77)), e: &episode{seed: seed}}
	e := m.e
	e.traits = m.traits(agree)
	e.start = bucket.MinTime + m.Int64N(150*365*24*int64(time.Hour))
	e.start += m.Int64N(int64(time.Second))
	for range e.procs {
		ahead := int64(0)
		if e.skew > 0 {
			ahead = m.clock()
		}
		e.clocks = append(e.clocks, ahead)
	}
	plans := 1
	if e.disagree || e.stores {
		plans = 1 + m.IntN(4)
	}
	for range plans {
		e.palette = append(e.palette, m.limits())
	}
	if e.stores && !e.brings { // else nothing would have limits at first
		e.steps = append(e.steps, m.step(doStore, 2))
	}
	for n := 20 + m.IntN(most-20); len(e.steps) < n; {
		e.steps = append(e.steps, m.any(0))
	}
	return e
}

func (m *maker) traits(agree bool) (t traits) {
	t = traits{
		procs: 1 + m.IntN(3), nested: !agree && m.one(2),
		brings: m.one(2), stores: m.one(2), override: m.one(4), disagree: m.one(3),
		resets: m.one(3), leases: !m.one(4), forces: m.one(2), idles: m.one(3), huge: m.one(6), steps: m.one(3),
	}
	t.brings = t.brings || !t.stores
	t.family = m.one(6)
	t.io = (agree || !t.family) && m.one(2)
	if agree {
		t.repeats, t.stale = t.procs == 1 && !t.family && m.one(2), t.procs == 1 && m.one(2)
		t.follows = t.stale && !t.io && m.one(2)
		return t
	}
	t.faults = t.io && !m.one(4)
	if t.settles = t.leases && t.faults && m.one(2); t.settles {
		t.forces = true
	}
	t.stale, t.repeats = m.one(2), m.one(2)
	t.follows = t.stale && !t.io && m.one(2)
	t.skew = []time.Duration{0, 0, time.Millisecond, time.Second, 10 * time.Second}[m.IntN(5)]
	t.steps = t.steps && t.skew > 0
	t.huge = false
	return t
}

// clock is a setting of one.
func (m *maker) clock() int64 {
	half := int64(m.e.skew) / 2
	switch m.IntN(4) {
	case 0:
		return half
	case 1:
		return -half
	}
	return m.Int64N(2*half+1) - half
}

// limits are a plan of the palette.
func (m *maker) limits() []engine.Limit {
	var all []engine.Limit
	for i, name := range names {
		if m.one(i+1) || len(all) == 0 && i == len(names)-1 {
			l := engine.Limit{Name: name, Capacity: m.amount(), RefillAmount: m.amount(), RefillPeriod: m.period()}
			if m.e.huge {
				l.Capacity, l.RefillAmount, l.RefillPeriod = m.wide(bucket.MaxAmount), m.wide(bucket.MaxAmount), time.Duration(m.wide(int64(bucket.MaxPeriod)))
				l.RefillPeriod = max(l.RefillPeriod, bucket.MinPeriod)
			}
			all = append(all, l)
		}
	}
	return all
}

func (m *maker) amount() int64 {
	switch m.IntN(4) {
	case 0:
		return 1 + m.Int64N(3)
	case 1:
		return []int64{100, 97, 1000, 60}[m.IntN(4)]
	}
	return 1 + m.Int64N(20)
}

func (m *maker) period() time.Duration {
	return []time.Duration{time.Second, time.Minute, time.Hour, bucket.MinPeriod, 1_000_003, 7 * time.Second, 999_999_937, 24 * time.Hour}[m.IntN(8)]
}

// wide is a number of any magnitude, often the largest.
func (m *maker) wide(most int64) int64 {
	if m.one(5) {
		return most - m.Int64N(3)
	}
	return 1 + m.Int64N(min(most, 1<<m.IntN(63)))
}
