package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// liveChanges proves that limits which change while buckets are in use are followed, by several processes at once.
var liveChanges = stories{
	{"WhileBusy", liveWhileBusy},
	{"Disagreeing", liveDisagreeing},
	{"DisagreeingClocks", liveDisagreeingClocks},
	{"ByManifest", liveByManifest},
}

// liveWhileBusy raises a limit while a crowd takes from it: no more than the new capacity is admitted, and in the end all of it.
func liveWhileBusy(r *engineTest) {
	all := r.processes(3, 0)
	r.must(all[0].SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
	var admitted atomic.Int64
	together(crowd, func(i int) {
		if i == 0 {
			for n := int64(200); n <= 1000; n += 100 {
				if err := all[0].SetLimits(r.Context(), user, api, []engine.Limit{stored("a", n)}); err != nil {
					r.Errorf("SetLimits: %v", err)
				}
			}
			return
		}
		for range 5 {
			admitted.Add(r.take(all[i%len(all)], ask(tokens("a", 1))))
		}
	})
	if got := admitted.Load(); got > 1000 {
		r.Errorf("%d were admitted of a limit that was raised to 1000", got)
	}
	admitted.Add(r.take(r.limiter(), ask(tokens("a", 1))))
	if got := admitted.Load(); got != 1000 {
		r.Errorf("%d were admitted of a limit that was raised to 1000, once it was quiet", got)
	}
}

// liveDisagreeing: callers who bring different limits for one bucket are each decided by their own limits, and share the
// tokens: in sum never more than the largest limit.
func liveDisagreeing(r *engineTest) {
	for i, other := range []engine.Limit{
		stored("a", 10), stored("a", 100).WithBurst(30), engine.PerHour("a", 100).WithBurst(99), engine.Every("a", 1, 1000*time.Hour).WithBurst(50),
	} {
		all := r.processes(2, 0)
		large, small := ask(tokens("a", 1), stored("a", 100)), ask(tokens("a", 1), other)
		large.Entity = fmt.Sprintf("user-%d", i)
		small.Entity = large.Entity
		total, bySmall := int64(0), int64(0)
		for range r.of(150, 60) {
			for j, q := range []engine.Request{large, small} {
				if _, err := all[j].Acquire(r.Context(), q); err == nil {
					total++
					bySmall += int64(j)
				}
			}
		}
		total += r.take(all[0], large)
		if total != 100 {
			r.Errorf("100 a day beside %v: %d were admitted in sum, not 100", other, total)
		}
		if bySmall > other.Capacity/2 { // they took turns
			r.Errorf("100 a day beside %v: that one was admitted %d times", other, bySmall)
		}
	}
}

// liveDisagreeingClocks: changes between limits, by clocks that disagree, create no tokens.
func liveDisagreeingClocks(r *engineTest) {
	fast, slow := engine.PerSecond("a", 20), engine.PerSecond("a", 4).WithBurst(12)
	for i, turns := range [][]struct {
		process int
		limit   engine.Limit
	}{{{0, fast}, {1, slow}}, {{0, slow}, {1, fast}}, {{0, fast}, {1, slow}, {0, slow}, {1, fast}}} {
		var all []*engine.Limiter
		for _, ahead := range []time.Duration{5 * time.Second, -5 * time.Second} {
			all = append(all, r.limiter(by(newClock(ahead)), func(o *engine.Options) { o.DenialTTL = -1 }))
		}
		total := 0
		for range r.of(300, 40) {
			for _, turn := range turns {
				q := ask(tokens("a", 1), turn.limit)
				q.Entity = fmt.Sprintf("user-%d", i)
				if _, err := all[turn.process].Acquire(r.Context(), q); err == nil {
					total++
				}
			}
		}
		if most := 20 + 10*20; total > most {
			r.Errorf("%v: %d were admitted while no time passed, with clocks 10 s apart; at most %d", turns, total, most)
		}
		if total == 0 { // the one that is ahead leaves what the other takes for debt: that costs admissions, and mints none
			r.Errorf("%v: none were admitted", turns)
		}
	}
}
