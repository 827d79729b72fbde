package otellimit

import (
	"sync"
	"time"
)

// idleTime is how long an entity has its series after its last event.
const idleTime = time.Hour

// ages are how long entities have had no event, as far as reports have seen.
type ages struct {
	lock sync.Mutex // held while series are forgotten: several readers may collect at a time
	last map[string]age
}

// age is how much an entity's series have counted in all, and when that was seen first.
type age struct {
	sum  int64
	seen time.Time
}

// idle returns the entities whose sums have not changed for idleTime.
func (a *ages) idle(sums map[string]int64, now time.Time) map[string]bool {
	next, idle := make(map[string]age, len(sums)), map[string]bool{}
	for entity, sum := range sums {
		last, known := a.last[entity]
		switch {
		case !known || last.sum != sum:
			next[entity] = age{sum, now}
		case now.Sub(last.seen) < idleTime:
			next[entity] = last
		default:
			idle[entity] = true
		}
	}
	a.last = next
	return idle
}

// forget drops the series of entities that have had no event for idleTime, so that their number is that of the entities which are
// busy. Events that come at this very moment may be lost, as if the process ended; later ones have new series, which begin at 0.
func (o *Observer) forget(now time.Time) {
	o.ages.lock.Lock()
	defer o.ages.lock.Unlock()
	counters, sums := [...]*counter{&o.decisions, &o.tokens, &o.degraded, &o.lost}, map[string]int64{}
	for _, c := range counters {
		for l, s := range c.all() {
			if l.entity != "" {
				sums[l.entity] += s.count.Load()
			}
		}
	}
	idle := o.ages.idle(sums, now)
	if len(idle) == 0 {
		return
	}
	for _, c := range counters { // before admissions, which would remember these series
		c.drop(func(l labels, _ *series) bool { return idle[l.entity] })
	}
	o.admissions.drop(func(p place, a *admissions) bool {
		if idle[p.entity] {
			a.forgotten.Store(true)
		}
		return idle[p.entity]
	})
}
