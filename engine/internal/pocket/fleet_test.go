package pocket_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// scenario is one run of a fleet in virtual time.
type scenario struct {
	name      string
	processes int
	limits    []bucket.Limit
	use       float64 // demand as a part of the rate
	heavy     bool    // amounts of the last limit are heavy-tailed, 480 on average
	on, off   float64 // seconds, means: processes send while on, at the rate that makes up for the rest; 0: always on
	hot       float64 // part of the demand by the first process, 0: even
	cold      float64 // requests a second by one more process, which comes again when told to
	joins     bool    // each second one process joins, and one crashes
	refunds   float64 // part of the leases that refund 30 %, after 2 s
	charges   float64 // part of the leases that charge 20 % more
	children  int     // a cascade: buckets below the first one
	child     []bucket.Limit
	lost      float64 // part of the replies
	forgets   bool    // the store recognizes only the last nonce
	skew      float64 // deviation of the clocks, ms
	slow      float64 // factor of the time of a write, 0: 1
	level     float64 // part of the capacity at the beginning
	resets    float64 // seconds between two resets, 0: none
	leaves    float64 // part of the waiting callers whose context ends within 20 ms
	exact     bool    // without prefetch
	ratchet   bool    // 50 requests of both limits, then of the second one only
	length    int64
	opts      pocket.Options
}

// world is a scenario under way.
type world struct {
	scenario
	seed    uint64
	now     int64
	events  events
	r       *rand.Rand
	buckets []*stored
	procs   []*process
	nonce   int64
	checks  bool // of all invariants after each event
	fail    func(format string, args ...any)
	quiet   bool // nobody asks any more

	measured
}

type process struct {
	id      int
	up, on  bool
	lambda  float64 // requests a second
	skew    int64
	r       *rand.Rand
	handles []*handle
	asked   int64
	served  int64
	open    int // requests without a verdict
	gen     int
}

// handle drives one buyer, as the engine does.
type handle struct {
	w     *world
	p     *process
	s     *stored
	b     *pocket.Buyer
	timer int64 // when Tick is called next, 0: not

	handed    int64 // tokens, net, by this process
	writes    int64 // that have reached the store
	drift     int64 // what the record was charged beyond what the process believes
	underWay  map[*pocket.Write]*flown
	counts    int64 // admissions, net
	accounted int64
	used      []int64
	doubt     []int64 // what writes would have refunded or lowered whose outcome was unknown at first
}

// flown is a write under way: what the process has put into it and what the store has made of it.
type flown struct {
	nonce int64
	put   int64 // reserved, and refunds minus charges
	truth int64
	doubt int64 // refunds of a send whose outcome is unknown
}

// request is a caller's, with a caller for each bucket.
type request struct {
	p       *process
	need    pocket.Tokens
	parts   [2]part
	n       int
	waiting int
	denied  bool
	failed  bool
	waited  bool
	until   int64
	asked   int64 // when
	first   int64
	tries   int
	left    bool
}

type part struct {
	pocket.Caller
	h *handle
	r *request
}

func (h *handle) clock() int64 { return h.w.now + h.p.skew }

// do carries out a step.
func (h *handle) do(step pocket.Step) {
	decided := append([]*pocket.Caller(nil), step.Decided...)
	if !h.w.exact && slices.ContainsFunc(decided, servedFromPocket) {
		h.mayHold()
	}
	for _, c := range decided {
		c.Tag.(*part).decided()
	}
	if w := step.Send; w != nil {
		h.send(w, step.After)
	}
	h.arm()
}

func sum(t pocket.Tokens) (n int64) {
	for _, v := range t {
		n += v
	}
	return n
}

// put is what the process has put into a write of what it had.
func put(w *pocket.Write) int64 { return sum(w.Reserved()) + sum(w.Refund) - sum(w.Charge) }

func (h *handle) send(w *pocket.Write, delay int64) {
	f := h.underWay[w]
	if f == nil {
		h.w.nonce++
		f = &flown{nonce: h.w.nonce, put: put(w)}
		h.underWay[w] = f
	}
	m := &message{w: w, h: h, nonce: f.nonce, y: h.clock() + delay, active: w.Active, slack: w.Slack, born: w.Born}
	m.refund = append(m.refund, w.Refund...)
	there, back := delays(h.w.r)
	if h.w.slow > 0 {
		there, back = int64(float64(there)*h.w.slow), int64(float64(back)*h.w.slow)
	}
	m.back = back
	h.w.longest = max(h.w.longest, there)
	if m.lost = h.w.r.Float64() < h.w.lost; m.lost {
		m.back = sec
	}
	h.w.events.add(event{at: h.w.now + delay + there, kind: atStore, m: m})
}

// truth notes that a message took effect.
func (h *handle) truth(m *message, s *stored) {
	f := h.underWay[m.w]
	if f == nil { // the process has given up on it
		h.drift += sum(m.w.Take) + sum(m.w.Charge) - sum(m.refund)
		return
	}
	f.truth += sum(m.w.Take) + sum(m.w.Charge) - sum(m.refund)
}

// reply hands the outcome of a message to the buyer.
func (h *handle) reply(m *message) {
	f := h.underWay[m.w]
	now, w := h.clock(), m.w
	if m.lost {
		f.doubt += sum(w.Refund)
		for i, n := range w.Refund {
			h.doubt[i] += max(n, w.Need()[i]-w.Used[i])
		}
		h.do(h.b.Unknown(now, w))
		return
	}
	var step pocket.Step
	switch m.outcome {
	case applied, mine:
		belief := sum(w.Take) + sum(w.Charge) - sum(w.Refund)
		if m.outcome == mine {
			belief -= f.doubt
			h.b.Recognize(w)
		}
		h.ends(w, f, belief)
		for i, n := range w.Left() { // charged for callers that had left
			h.refunded(i, n)
		}
		step = h.b.Applied(now, w, &m.record)
	case refused:
		f.doubt = 0
		if step = h.b.Refused(now, w, &m.record); step.Send != w {
			h.ends(w, f, 0)
		} else {
			h.w.again++
			f.put = put(w) // refunds whose outcome is unknown are written off
		}
	case throttled:
		if step = h.b.Throttled(now, w, h.w.r.Uint64()); step.Send != w {
			h.ends(w, f, 0)
		}
	}
	h.do(step)
}

func (h *handle) ends(w *pocket.Write, f *flown, belief int64) {
	delete(h.underWay, w)
	h.drift += f.truth - belief
	if h.w.checks {
		for i, n := range w.Extra() {
			if n < 0 || w.Take[i] < 0 || w.Charge[i] < 0 || w.Refund[i] < 0 {
				h.w.fail("a write of negative amounts: %+v", w)
			}
		}
	}
}

// arm sets the timer to when the buyer is due.
func (h *handle) arm() {
	if h.w.checks {
		h.recount()
	}
	due := h.b.Due()
	if due == math.MaxInt64 {
		return
	}
	if due = max(due-h.p.skew, h.w.now+1); h.timer == 0 || due < h.timer {
		h.timer = due
		h.w.events.add(event{at: due, kind: atTimer, h: h})
	}
}

func (h *handle) tick() {
	if h.timer != h.w.now || !h.p.up {
		return
	}
	h.timer = 0
	h.do(h.b.Tick(h.clock()))
}

// admitted notes a hand-out from the pocket, or of a write: excess counts the latter when it takes effect.
func (x *part) admitted() {
	x.h.handed += sum(x.r.need)
	x.h.counts++
	for i, n := range x.r.need {
		x.h.used[i] += n
	}
}

// decided: one bucket's verdict on a caller that waited.
func (x *part) decided() {
	r := x.r
	r.waiting--
	switch x.Verdict {
	case pocket.Admitted:
		x.admitted()
		if servedFromPocket(&x.Caller) {
			x.fromPocket()
		}
	case pocket.Denied:
		r.denied, r.until = true, max(r.until, x.Until-x.h.p.skew)
	default:
		r.denied, r.failed = true, true
	}
	if r.waiting == 0 {
		x.h.w.finish(r)
	}
}

func (x *part) fromPocket() {
	for i, n := range x.r.need {
		x.h.s.excess[i].hand(x.h.w.now, n)
	}
}

func servedFromPocket(c *pocket.Caller) bool {
	return c.Verdict == pocket.Admitted && len(c.Behind) == 0
}

// mayHold is the condition that the proof of the bound rests on. It must hold at each hand-out.
func (h *handle) mayHold() {
	for i, n := range h.b.Pockets() {
		if n > 0 && n > h.b.Handed()[i]*4/5 {
			h.w.fail("pocket %v of %v handed out", h.b.Pockets(), h.b.Handed())
		}
	}
}

// refunded notes a refund, which with prefetch may be handed out again at once. Without it, it counts when it is written.
func (h *handle) refunded(i int, n int64) {
	if !h.w.exact {
		h.s.excess[i].hand(h.w.now, -n)
	}
}

// refund gives the request's tokens of a bucket back.
func (x *part) refund() {
	x.h.handed -= sum(x.r.need)
	x.h.counts--
	for i, n := range x.r.need {
		x.h.used[i] -= n
		x.h.refunded(i, n)
	}
	delta := make(pocket.Tokens, len(x.Need))
	for i, n := range x.Need {
		delta[i] = -n
	}
	x.h.b.Retract(x.h.clock(), delta, x.Born)
	x.h.arm()
}
