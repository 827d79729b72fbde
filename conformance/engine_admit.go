package conformance

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// admitsExactly proves that of a limit of C exactly C are admitted while no time passes, however many processes ask.
var admitsExactly = stories{
	{"OneProcess", func(r *engineTest) { r.exactly(1, 0) }},
	{"SeveralProcesses", func(r *engineTest) { r.exactly(4, 0) }},
	{"ClocksApart", func(r *engineTest) { r.exactly(4, 5*time.Second) }},
	{"WithIO", func(r *engineTest) { r.slow().exactly(4, 0) }},
	{"Amounts", admitsAmounts},
	{"SeveralLimits", admitsSeveralLimits},
	{"LiveBucket", admitsLive},
	{"Cascade", func(r *engineTest) { r.exactlyBelow(1) }},
	{"CascadeOfProcesses", func(r *engineTest) { r.exactlyBelow(3) }},
	{"CascadeWithIO", func(r *engineTest) { r.slow().exactlyBelow(3) }},
}

// crowd is how many goroutines acquire at once.
const crowd = 24

// take acquires until it is denied, and returns how many requests were admitted. A lost race is not a denial.
func (r *engineTest) take(l *engine.Limiter, q engine.Request) (admitted int64) {
	var exceeded *engine.ExceededError
	for {
		_, err := l.Acquire(r.Context(), q)
		switch {
		case err == nil:
			admitted++
		case errors.As(err, &exceeded):
			return admitted
		case !errors.Is(err, engine.ErrContention):
			r.Errorf("Acquire of %v by %s: %v", q.Consume, q.Entity, err)
			return admitted
		}
	}
}

// processes returns limiters whose clocks are between apart ahead of the story's and apart behind it.
func (r *engineTest) processes(n int, apart time.Duration) []*engine.Limiter {
	all := make([]*engine.Limiter, n)
	for i := range all {
		ahead := apart
		if n > 1 {
			ahead = apart - 2*apart*time.Duration(i)/time.Duration(n-1)
		}
		all[i] = r.limiter(by(newClock(ahead)))
	}
	return all
}

// storm has the crowd take from several processes at once. request returns the request of each goroutine.
func (r *engineTest) storm(all []*engine.Limiter, request func(i int) engine.Request) int64 {
	var admitted atomic.Int64
	together(crowd, func(i int) { admitted.Add(r.take(all[i%len(all)], request(i))) })
	return admitted.Load()
}

// exactly races for the first use of a bucket, and for all that follows.
func (r *engineTest) exactly(processes int, apart time.Duration) {
	all := r.processes(processes, apart)
	for round := range 5 {
		q := ask(tokens("rpd", 1), engine.PerDay("rpd", 100))
		q.Entity = fmt.Sprintf("user-%d", round)
		if got := r.storm(all, func(int) engine.Request { return q }); got != 100 {
			r.Errorf("%d processes, clocks ±%v: %d were admitted, of 100", processes, apart, got)
		}
	}
}

func admitsAmounts(r *engineTest) {
	limit, admitted := engine.PerDay("rpd", 1000), atomic.Int64{}
	all := r.processes(3, 0)
	together(crowd, func(i int) {
		n := int64(i%7 + 1)
		admitted.Add(n * r.take(all[i%len(all)], ask(tokens("rpd", n), limit)))
	})
	if got := admitted.Load(); got != 1000 { // those who take one stop at nothing less
		r.Errorf("%d tokens were admitted, of 1000", got)
	}
}

func admitsSeveralLimits(r *engineTest) {
	limits := []engine.Limit{engine.PerDay("a", 300), engine.PerDay("b", 90), engine.PerDay("c", 7).WithBurst(100)}
	all := r.processes(3, 0)
	got := r.storm(all, func(int) engine.Request { return ask(engine.Tokens{"a": 2, "b": 1}, limits...) })
	if got != 90 {
		r.Errorf("%d were admitted, of 90", got)
	}
	r.wantLeft(r.limiter(), "afterwards", "a:120 b:0 c:100", limits...)
}

// admitsLive begins with a bucket that was used before: half full, in debt, and full again.
func admitsLive(r *engineTest) {
	for _, c := range []struct {
		used int64
		idle time.Duration
		want int64
	}{{50, 0, 50}, {50, 12 * time.Hour, 100}, {140, 12 * time.Hour, 10}, {140, 48 * time.Hour, 100}, {140, 0, 0}} {
		limit := engine.PerDay("rpd", 100)
		q := ask(tokens("rpd", 1), limit)
		q.Entity = fmt.Sprintf("user-%d-%d", c.used, c.idle)
		first := r.mustAcquire(r.limiter(), q)
		r.must(first.Adjust(tokens("rpd", c.used-1)))
		r.must(first.Commit(r.Context()))
		later := newClock(c.idle)
		all := []*engine.Limiter{r.limiter(by(later)), r.limiter(by(later))}
		if got := r.storm(all, func(int) engine.Request { return q }); got != c.want {
			r.Errorf("%d of 100 used, then %v idle: %d were admitted, not %d", c.used, c.idle, got, c.want)
		}
	}
}

// exactlyBelow has children race for what their parent has: never more than that is admitted while they race, and all of it
// afterwards.
func (r *engineTest) exactlyBelow(processes int) {
	const children, capacity = 6, 60
	all := r.processes(processes, 0)
	r.mustEntity(all[0], engine.Entity{ID: "parent"})
	r.must(all[0].SetLimits(r.Context(), "parent", api, []engine.Limit{engine.PerDay("rpd", capacity)}))
	for i := range children {
		r.mustEntity(all[0], engine.Entity{ID: fmt.Sprintf("child-%d", i), Parent: "parent", Cascade: true})
	}
	below := func(i int) engine.Request {
		q := ask(tokens("rpd", 1), engine.PerDay("rpd", 40))
		q.Entity = fmt.Sprintf("child-%d", i%children)
		return q
	}
	during := r.storm(all, below)
	if during > capacity {
		r.Errorf("%d were admitted below a parent of %d", during, capacity)
	}
	fresh := r.limiter()
	for i := range children {
		during += r.take(fresh, below(i))
	}
	if during != capacity {
		r.Errorf("%d were admitted below a parent of %d, once it was quiet", during, capacity)
	}
	sum, names := int64(0), []engine.BucketName{}
	for i := range children {
		names = append(names, engine.BucketName{Entity: fmt.Sprintf("child-%d", i), Resource: api})
		sum += 40 - r.left(fresh, names[i].Entity, engine.PerDay("rpd", 40))["rpd"]
	}
	if sum != capacity {
		r.Errorf("the children were charged %d, their parent %d", sum, capacity)
	}
	states, err := fresh.BucketStates(r.Context(), names)
	acquires := int64(0)
	for i := range states {
		acquires += states[i].Acquires
	}
	if r.must(err); acquires != capacity {
		r.Errorf("the children count %d acquires, of which %d were admitted: those that the parent has denied do not count", acquires, capacity)
	}
}

// unborn are options that allow missing parents.
var unborn = &engine.EntityOptions{AllowMissingParent: true}

// mustEntity creates an entity, whose parent may be missing.
func (r *engineTest) mustEntity(l *engine.Limiter, e engine.Entity) {
	r.Helper()
	if err := l.CreateEntity(r.Context(), e, unborn); err != nil {
		r.Fatalf("CreateEntity of %s: %v", e.ID, err)
	}
}
