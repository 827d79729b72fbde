package conformance

import (
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// levelling proves that a store with Sweep stops growing, whatever share of the buckets is new each day.
var levelling = stories{
	{"AllNew", scanning(func(r *engineTest) { r.levelsOff(r.of(5, 4), 4_500, 0) })},
	{"FewNew", scanning(func(r *engineTest) {
		if !r.brief { // fewer days would prove nothing
			r.levelsOff(5, 1_500, 3_000)
		}
	})},
}

const (
	regulars = 500  // buckets that are used every day
	unswept  = 4096 // writes between two sweeps
)

// levelsOff has callers for some days: some that never return, and regular ones. What may remain are the records of two days,
// and those that the last sweep has not reached.
func (r *engineTest) levelsOff(days, strangers, others int) {
	can := r.store.Capabilities()
	if can.Sweep == nil {
		r.Log("nothing to prove: the store's Capabilities have no Sweep, so it drops expired records by itself")
		return
	}
	l := r.limiter()
	perDay := strangers + others
	for day := range days {
		together(workers, func(worker int) {
			for i := worker; i < perDay; i += workers {
				who := fmt.Sprintf("regular-%d", i%regulars)
				if i < strangers {
					who = fmt.Sprintf("stranger-%d-%d", day, i)
				}
				q := engine.Request{Entity: who, Resource: api, Consume: tokens("a", 1), Limits: []engine.Limit{engine.PerMinute("a", 1_000_000)}}
				if _, err := l.Allow(r.Context(), q); err != nil {
					r.Errorf("Allow: %v", err)
					return
				}
			}
		})
		r.clock.advance(aDay)
	}
	most := 2*strangers + regulars + unswept
	r.until(fmt.Sprintf("at most %d of %d records remain", most, days*strangers+regulars), func() bool { return r.buckets(can.Scan) <= most })
}

// buckets counts the records of the namespace.
func (r *engineTest) buckets(scan backend.ScanFunc) (n int) {
	for position := ""; ; {
		keys, next, err := scan(r.Context(), engine.DefaultNamespace, position, backend.MaxPage)
		r.must(err)
		n += len(keys)
		if position = next; next == "" {
			return n
		}
	}
}
