package reserve_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

const (
	ms    = int64(1e6)
	sec   = int64(1e9)
	never = math.MaxInt64
	// start is when a run begins; the arithmetic is for instants since 1970.
	start = int64(1_772_366_400_000_000_000)
)

// scenario is one run: processes whose callers wait for tokens.
type scenario struct {
	name      string
	processes int
	limits    []bucket.Limit // of the entity's bucket
	parent    []bucket.Limit // of its parent's bucket, nil: it has none
	children  int            // entities below the parent, 0: one
	closed    int            // callers, each of which comes again once it was served
	open      float64        // or callers that come at random, a second
	amounts   func(*rand.Rand) []int64
	patience  float64 // seconds after which callers leave, on average; 0: never
	cancels   float64 // part of the callers that leave before they are due
	deadline  int64   // ns, 0: none
	crashes   float64 // a second
	resets    float64 // a second
	refunds   float64 // part of its tokens that a served caller refunds after two seconds
	lost      float64 // part of the replies
	late      float64 // part of the writes that take 200 ms
	reach     time.Duration
	length    int64 // ns
}

// world is a run in virtual time.
type world struct {
	scenario
	random  *rand.Rand
	now     int64
	events  events
	seq     int64
	records []*stored // the entities', then the parent's
	procs   []*process
	quiet   bool
	checks  bool
	fail    func(string, ...any)

	writes, refused, admitted, left, denied, errors int64
	asked, tokens                                   int64 // of the first limit
	charged                                         int64 // tokens of all limits on all records, net
	kept                                            int64 // by those who were served
	transit                                         int64 // applied, and not heard of
	owed                                            int64 // to be refunded
	void                                            int64 // charged twice
	restarts                                        int
	slowest                                         int64 // from the composing of a write to its reply
	served                                          []service
}

// service is one admission.
type service struct {
	x  *caller
	at int64
}

type process struct {
	w     *world
	lines []*line // by entity
}

// line drives one Line.
type line struct {
	*reserve.Line
	p       *process
	records []*stored
	timer   int64 // when the next Tick is scheduled, 0: none is

	effective *reserve.Write // the last reservation that took effect
	dead      bool           // its process has crashed
}

// caller is one who waits.
type caller struct {
	reserve.Waiter
	l        *line
	at       int64
	number   int64
	promised int64 // due time of its first slot, 0: none yet
	leaves   bool  // at some time before it is due
	done     bool
}

func newWorld(s scenario, seed uint64) *world {
	w := &world{scenario: s, random: rand.New(rand.NewPCG(seed, 7)), now: start}
	for range max(1, s.children) {
		w.records = append(w.records, newStored(s.limits))
	}
	if s.parent != nil {
		w.records = append(w.records, newStored(s.parent))
	}
	for range s.processes {
		p := &process{w: w}
		p.start()
		w.procs = append(w.procs, p)
	}
	return w
}

// start gives a process its lines.
func (p *process) start() {
	w := p.w
	p.lines = nil
	for c := range max(1, w.children) {
		path := []*stored{w.records[c]}
		if w.parent != nil {
			path = append(path, w.records[len(w.records)-1])
		}
		l := &line{p: p, records: path}
		var rates [][]bucket.Rate
		for _, r := range path {
			rates = append(rates, r.rates)
		}
		l.Line = reserve.New(rates, w.reach)
		p.lines = append(p.lines, l)
	}
}

// crash loses what a process has, and starts it again.
func (p *process) crash() {
	for _, l := range p.lines {
		l.dead = true
		p.w.void += l.Assets() + l.Lost()
	}
	p.start()
}

// run lets the callers come and the time pass.
func (w *world) run() {
	for i := range w.closed {
		w.after(int64(w.random.Float64()*float64(10*ms)), func() { w.arrive(w.procs[i%w.processes]) })
	}
	w.every(w.open, func() { w.arrive(w.procs[w.random.IntN(w.processes)]) })
	w.every(w.crashes, func() { w.procs[w.random.IntN(w.processes)].crash() })
	w.every(w.resets, func() {
		w.restarts++
		w.records[w.random.IntN(len(w.records))].reset()
	})
	w.until(start + w.length)
}

// every does something so many times a second, at random.
func (w *world) every(perSecond float64, do func()) {
	if perSecond == 0 {
		return
	}
	var next func()
	next = func() {
		if !w.quiet {
			do()
			w.after(int64(w.random.ExpFloat64()/perSecond*1e9), next)
		}
	}
	w.after(int64(w.random.ExpFloat64()/perSecond*1e9), next)
}

func (w *world) until(end int64) {
	for len(w.events) > 0 && w.events[0].at <= end {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
		if w.checks {
			w.conserves()
		}
	}
	w.now = end
}

// quieten lets nobody come any more, until all have what they wait for.
func (w *world) quieten() {
	w.quiet = true
	w.until(w.now + 10_000*sec)
}

// conserves: what the records were charged is what callers have, and what the lines have.
func (w *world) conserves() {
	sum := w.kept + w.transit + w.owed + w.void
	for _, p := range w.procs {
		for _, l := range p.lines {
			sum += l.Assets() + l.Lost()
		}
	}
	if sum != w.charged {
		w.fail("charged %d, kept %d, in transit %d, to be refunded %d, void %d, in all %d", w.charged, w.kept, w.transit, w.owed, w.void, sum)
	}
}

func (w *world) arrive(p *process) {
	if w.quiet {
		return
	}
	w.seq++
	l := p.lines[w.random.IntN(len(p.lines))]
	c := &caller{l: l, at: w.now, number: w.seq}
	c.Tag, c.Deadline = c, never
	c.Need = []int64{1}
	if w.amounts != nil {
		c.Need = w.amounts(w.random)
	}
	w.asked += c.Need[0]
	if w.deadline > 0 {
		c.Deadline = w.now + w.deadline
		w.after(w.deadline, c.leave)
	}
	if w.patience > 0 {
		w.after(int64(w.random.ExpFloat64()*w.patience*1e9), c.leave)
	}
	c.leaves = w.random.Float64() < w.cancels
	step := l.Join(w.now, &c.Waiter)
	l.do(step)
	if c.Verdict != reserve.Pending {
		c.end()
	}
	c.promise()
}

// leave ends a caller's context.
func (c *caller) leave() {
	if c.done || c.l.dead {
		return
	}
	w := c.l.p.w
	step := c.l.Leave(w.now, &c.Waiter)
	if c.Verdict == reserve.Pending {
		c.done = true
		w.left++
		c.again()
	} else {
		c.end()
	}
	c.l.do(step)
}

// end is called with the verdict.
func (c *caller) end() {
	w := c.l.p.w
	c.done = true
	switch c.Verdict {
	case reserve.Admitted:
		w.admitted++
		w.tokens += c.Need[0]
		for _, n := range c.Need {
			w.kept += n
		}
		w.served = append(w.served, service{c, w.now})
		if c.promised > 0 && w.now > c.promised && w.checks {
			w.fail("caller %d was promised %v, and served %v later", c.number, c.promised, time.Duration(w.now-c.promised))
		}
		if n := int64(w.refunds * float64(c.Need[0])); n > 0 {
			w.after(2*sec, func() {
				w.writes++
				all := make([]int64, len(w.limits))
				all[0] = n
				c.l.records[0].refund(w, all, c.Born[0])
				w.kept -= n
			})
		}
	case reserve.Denied:
		w.denied++
		if c.Until <= c.Deadline {
			w.fail("denied until %d, with the deadline %d", c.Until, c.Deadline)
		}
	default:
		w.errors++
	}
	c.again()
}

func (c *caller) again() {
	if w := c.l.p.w; w.closed > 0 {
		w.after(ms/10, func() { w.arrive(c.l.p) })
	}
}

// do does what a line asks for.
func (l *line) do(step reserve.Step) {
	w := l.p.w
	send := step.Send
	for _, r := range step.Refunds {
		tokens := slices.Clone(r.Tokens)
		for _, n := range tokens {
			w.owed += n
		}
		w.after(5*ms, func() {
			w.writes++
			l.records[r.Bucket].refund(w, tokens, r.Born)
			for _, n := range tokens {
				w.owed -= n
			}
		})
	}
	for _, x := range slices.Clone(step.Decided) {
		x.Tag.(*caller).end()
	}
	if send != nil {
		w.send(l, send)
	}
	l.setTimer()
}

func (l *line) setTimer() {
	w, due := l.p.w, l.Due()
	if due == never || l.timer != 0 && l.timer <= due {
		return
	}
	due = max(due, w.now)
	l.timer = due
	w.at(due, func() {
		if l.timer == due && !l.dead {
			l.timer = 0
			l.do(l.Tick(w.now))
		}
	})
}

// promise notes what a caller has been promised, and lets it leave if it is to.
func (c *caller) promise() {
	w := c.l.p.w
	due, ok := c.SlotDue()
	if !ok || c.promised > 0 || c.done {
		return
	}
	c.promised = max(due, w.now)
	if c.leaves {
		w.after(int64(w.random.Float64()*float64(c.promised-w.now)), c.leave)
	}
}
