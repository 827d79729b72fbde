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
	plain     float64 // callers a second that do not wait
	cancels   float64 // part of the callers that leave before they are due
	deadline  int64   // ns, 0: none
	crashes   float64 // a second
	resets    float64 // a second
	skew      int64   // by how much clocks disagree, ns
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
	skew  int64   // by how much its clock is ahead
}

func (p *process) now() int64 { return p.w.now + p.skew }

// line drives one Line.
type line struct {
	*reserve.Line
	p       *process
	records []*stored
	timer   int64 // when the next Tick is scheduled, 0: none is

	effective *reserve.Write // the last reservation that took effect
	dead      bool           // its process has crashed
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
		if s.skew > 0 {
			p.skew = w.random.Int64N(s.skew)
		}
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
	w.every(w.plain, func() { w.acquire(w.procs[w.random.IntN(w.processes)]) })
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

// do does what a line asks for.
func (l *line) do(step reserve.Step) {
	w := l.p.w
	send := step.Send
	for _, r := range step.Refunds {
		tokens := slices.Clone(r.Tokens)
		w.owed += total(tokens)
		w.after(5*ms, func() {
			w.writes++
			l.records[r.Bucket].refund(w, tokens, r.Born)
			l.records[r.Bucket].acq -= r.Acquired
			w.owed -= total(tokens)
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
	due = max(due, l.p.now())
	l.timer = due
	w.at(due-l.p.skew, func() {
		if l.timer == due && !l.dead {
			l.timer = 0
			l.do(l.Tick(l.p.now()))
		}
	})
}
