package conformance

import (
	"cmp"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// saturation proves that callers who ask for more than there is get all of it and no more: at least 99.9 % of capacity +
// rate·T, while every call of the store takes time and clocks disagree. Each process has one caller: those of one process
// share writes, and virtual time would not pass while one waits for another's.
var saturation = stories{
	{"SeveralProcesses", func(r *engineTest) { r.saturate(load{processes: 9}) }},
	{"EightProcesses", func(r *engineTest) { r.saturate(load{processes: 8, most: 1.01, time: 25 * time.Second}) }},
	{"ClocksApart", func(r *engineTest) { r.saturate(load{processes: 9, apart: 5 * time.Second}) }},
	{"ClocksStepBack", func(r *engineTest) { r.saturate(load{processes: 9, apart: 5 * time.Second, steps: true}) }},
	{"SeveralLimits", func(r *engineTest) { r.saturate(load{processes: 6, limits: 2}) }},
	{"LargeRequests", func(r *engineTest) { r.saturate(load{processes: 6, each: 5, time: 150 * time.Second}) }},
	{"Cascade", func(r *engineTest) { r.saturate(load{processes: 6, cascade: true}) }},
}

// load says who acquires, and how.
type load struct {
	processes int
	apart     time.Duration // clocks are that far ahead or behind
	steps     bool          // clocks step to and fro between that
	limits    int
	each      int64 // tokens a request
	time      time.Duration
	cascade   bool
	most      float64 // requests a decision, at most, where every decision asks the store; 0: denials may come from memory
}

const (
	saturationRate = 50 // tokens a second, and the burst
	slowest        = 50 * time.Millisecond
)

func (r *engineTest) saturate(c load) {
	const seed = 7
	s := newSimulation(seed)
	c.each, c.time = cmp.Or(c.each, 1), cmp.Or(c.time, 50*time.Second)
	if r.brief && c.most == 0 {
		c.each = min(c.each, 2)
		c.time = time.Duration(c.each) * 8 * time.Second
	}
	limits := []engine.Limit{engine.PerSecond("rps", saturationRate)}
	consume := tokens("rps", c.each)
	if c.limits > 1 {
		limits = append(limits, engine.PerSecond("other", saturationRate*3).WithBurst(1000))
		consume["other"] = 2 * c.each
	}
	if c.cascade {
		setup := r.limiter()
		r.must(setup.SetLimits(r.Context(), "parent", api, limits))
		for i := range c.processes {
			r.mustEntity(setup, engine.Entity{ID: fmt.Sprintf("user-%d", i), Parent: "parent", Cascade: true})
		}
		limits = []engine.Limit{engine.PerSecond("rps", 10*saturationRate)}
	}
	admitted, decisions := &bound{limit: engine.PerSecond("rps", saturationRate), slack: 2*c.apart + 2*slowest}, 0
	for i := range c.processes {
		l := r.limiter(s.clock(0), func(o *engine.Options) {
			if o.Now, o.ConfigTTL = s.skewed(c, i), aDay; c.most > 0 {
				o.DenialTTL = -1
			}
		})
		q := ask(consume, limits...)
		if c.cascade {
			q.Entity = fmt.Sprintf("user-%d", i)
		}
		_ = r.left(l, q.Entity, limits...) // reads the configuration: who waits for another's reading waits unseen
		s.actor(s.between(0, slowest), func() {
			for s.now() < c.time {
				d, err := l.Allow(r.Context(), q)
				s.note(func() { decisions++ })
				switch {
				case err != nil:
					r.Errorf("seed %d, %v after the beginning: %v", s.seed, s.now(), err)
					return
				case d.Allowed:
					at := s.now()
					s.note(func() { admitted.admit(at, c.each) })
				default:
					s.pause(min(d.RetryAfter, c.time-s.now()))
				}
			}
		})
	}
	s.delay(r, time.Millisecond, slowest)
	s.run()
	r.checkSaturation(s, c, admitted)
	r.checkRequests(s, c, decisions)
}

func (r *engineTest) checkRequests(s *simulation, c load, decisions int) {
	requests := r.faults.Calls(limitertest.OpApply)
	each := float64(requests) / float64(decisions)
	r.Logf("%d requests for %d decisions (%.3f)", requests, decisions, each)
	if c.most > 0 && each > c.most {
		r.Errorf("seed %d: %d requests for %d decisions, more than %v each", s.seed, requests, decisions, c.most)
	}
}

// skewed returns the clock of the i-th process.
func (s *simulation) skewed(c load, i int) func() time.Time {
	ahead := c.apart * time.Duration(1-i%3)
	return func() time.Time {
		if c.steps {
			ahead = s.between(-c.apart, c.apart)
		}
		return time.Unix(0, epoch+int64(s.now()+ahead))
	}
}

// checkSaturation compares what was admitted, in all and in every interval, with the bounds. A decision may be noted later than
// it was made, by as much as a call of the store takes.
func (r *engineTest) checkSaturation(s *simulation, c load, admitted *bound) {
	total := admitted.admitted
	entitled := saturationRate * (1 + c.time.Seconds())
	share := float64(total) / entitled
	r.Logf("%d tokens of %.0f admitted (%.4f)", total, entitled, share)
	lowest := .999
	switch {
	case c.steps: // a clock that was ahead, once, holds up all that are behind
		lowest = 0
	case c.cascade: // tokens on their way back from a denial are missed by others
		lowest = .85
	}
	if r.brief && c.most == 0 { // what was on its way when the time was over counts for more
		lowest -= saturationRate * slowest.Seconds() / entitled
	}
	if share < lowest {
		r.Errorf("seed %d: %d tokens were admitted of %.0f: %.4f of it, less than %v", s.seed, total, entitled, share, lowest)
	}
	if broken := admitted.broken(); broken != "" {
		r.Errorf("seed %d: %s", s.seed, broken)
	}
}
