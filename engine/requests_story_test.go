package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestRequestsPerDecision tells requestsPerDecision, with and without I/O.
func TestRequestsPerDecision(t *testing.T) {
	t.Run("NoIO", func(t *testing.T) { tellEach(t, requestsPerDecision, false) })
	t.Run("IO", func(t *testing.T) { tellEach(t, requestsPerDecision, true) })
}

// requestsPerDecision proves what a decision costs: one write if the last seen record is current, nothing for a known denial,
// and not many more if others write, too.
var requestsPerDecision = stories{
	{"Sequential", requestsSequential},
	{"KnownDenials", requestsKnownDenials},
	{"SmallerRequests", requestsSmaller},
	{"OffDenials", requestsOffDenials},
	{"SharedBucket", requestsShared},
	{"Commit", requestsCommit},
	{"Path", requestsPath},
	{"FirstUse", requestsFirstUse},
}

// requests counts the requests that reach the store while act runs.
func (r *story) requests(act func()) (writes, reads int) {
	w, c, n := r.faults.Calls(limitertest.OpApply), r.faults.Calls(limitertest.OpCommit), r.faults.Calls(limitertest.OpRead)
	act()
	return r.faults.Calls(limitertest.OpApply) - w + r.faults.Calls(limitertest.OpCommit) - c, r.faults.Calls(limitertest.OpRead) - n
}

func (r *story) wantRequests(what string, writes, reads int, act func()) {
	r.Helper()
	if w, n := r.requests(act); w != writes || n != reads {
		r.Errorf("%s: %d writes and %d reads, not %d and %d", what, w, n, writes, reads)
	}
}

// arrivals makes decisions at random times, at a share of the rate, in random processes, and returns the number of requests for
// a decision.
func (r *story) arrivals(seed uint64, clients, decisions int, share float64, names ...string) float64 {
	random := rand.New(rand.NewPCG(seed, uint64(clients)))
	const rate = 100 // a second
	var limits []engine.Limit
	consume := engine.Tokens{}
	for i, name := range names { // a second one that is full more often
		limits = append(limits, engine.PerSecond(name, rate*int64(i+2)/2).WithBurst(100*rate))
		consume[name] = 1
	}
	q := request(consume, limits...)
	q.Entity = fmt.Sprintf("user-%d-%d-%.0f-%d", clients, len(names), 100*share, seed)
	var all []*engine.Limiter
	for range clients {
		l := r.limiter(func(o *engine.Options) { o.ConfigTTL = 24 * time.Hour })
		all = append(all, l)
		_ = r.left(l, q.Entity, limits...) // reads the configuration
	}
	r.clock.advance(time.Hour) // what was seen of the bucket is long out of date
	step := func(share float64) {
		r.clock.advance(time.Duration(random.ExpFloat64() / (share * rate) * float64(time.Second)))
		if d, err := all[random.IntN(clients)].Allow(r.Context(), q); err != nil || !d.Allowed && share < 1 {
			r.Fatalf("seed %d: %+v, %v", seed, d, err)
		}
	}
	for range 10 * clients { // until everybody knows that there are others, at another share
		step(1 - min(share, .9))
	}
	for range 10 * clients {
		step(share)
	}
	writes, reads := r.requests(func() {
		for range decisions {
			step(share)
		}
	})
	return float64(writes+reads) / float64(decisions)
}

func requestsSequential(r *story) {
	for _, share := range []float64{.1, .5, .9, 1.2} {
		for _, names := range [][]string{{"a"}, {"a", "b"}} {
			got := r.arrivals(1, 1, 500, share, names...)
			if share < 1 && got != 1 || got > 1 {
				r.Errorf("%v of the rate, %d limits: %.3f requests for a decision, not 1.000", share, len(names), got)
			}
		}
	}
}

// requestsShared has many processes that share a bucket.
func requestsShared(r *story) {
	for _, c := range []struct {
		clients int
		share   float64
		names   []string
		most    float64
	}{
		{8, .5, []string{"a"}, 1.5},
		{8, .5, []string{"a", "b"}, 1.65},
		{8, .1, []string{"a"}, 1.15},
		{8, .9, []string{"a"}, 1.55},
		{8, 2, []string{"a"}, 1.01},
		{8, 2, []string{"a", "b"}, 1.01},
		{100, .9, []string{"a"}, 1.2},
		{100, .1, []string{"a"}, 1.15},
	} {
		got := r.arrivals(3, c.clients, 1000, c.share, c.names...)
		r.Logf("%d clients at %v of the rate, %d limits: %.3f requests for a decision", c.clients, c.share, len(c.names), got)
		if got > c.most {
			r.Errorf("%d clients at %v of the rate, %d limits: %.3f requests for a decision, more than %v",
				c.clients, c.share, len(c.names), got, c.most)
		}
	}
}

// requestsKnownDenials: the first denial needs no request if the last success left the bucket empty. Repeated ones need none
// until the time that they state, and for a second at most.
func requestsKnownDenials(r *story) {
	limit := engine.PerMinute("rpm", 6)
	l, q := r.limiter(), request(tokens("rpm", 1), limit)
	for range 6 {
		r.mustAcquire(l, q)
	}
	r.wantRequests("denials right after the last token", 0, 0, func() {
		for range 10 {
			r.mustDeny(l, q)
		}
		r.clock.advance(900 * time.Millisecond)
		if e := r.mustDeny(l, q); e.RetryAfter != 9100*time.Millisecond {
			r.Errorf("a denial from memory: retry after %v, not 9.1s", e.RetryAfter)
		}
	})
	r.clock.advance(200 * time.Millisecond)
	r.wantRequests("a denial after DenialTTL", 1, 0, func() { r.mustDeny(l, q) })
	r.wantRequests("the next one", 0, 0, func() { r.mustDeny(l, q) })
	r.clock.advance(8900 * time.Millisecond)
	r.wantRequests("at the time of the denial", 1, 0, func() { r.mustAcquire(l, q) })
	other := r.limiter()
	r.wantRequests("another process", 1, 2, func() { r.mustDeny(other, q) })
	r.wantRequests("the same again", 0, 0, func() { r.mustDeny(other, q) })
}

// requestsSmaller: a known denial denies only requests that do not fit.
func requestsSmaller(r *story) {
	limit := engine.PerHour("rph", 10)
	l := r.limiter()
	r.mustAcquire(l, request(tokens("rph", 6), limit))
	r.wantRequests("one that does not fit", 0, 0, func() { r.mustDeny(l, request(tokens("rph", 5), limit)) })
	r.wantRequests("one that fits", 1, 0, func() { r.mustAcquire(l, request(tokens("rph", 4), limit)) })
	r.wantRequests("one that never fits", 0, 0, func() { r.mustDeny(l, request(tokens("rph", 11), limit)) })
}

func requestsOffDenials(r *story) {
	l, q := r.limiter(func(o *engine.Options) { o.DenialTTL = -1 }), request(tokens("rph", 1), engine.PerHour("rph", 1))
	r.mustAcquire(l, q)
	r.wantRequests("three denials without DenialTTL", 3, 0, func() {
		for range 3 {
			r.mustDeny(l, q)
		}
	})
}

// requestsCommit: settling costs one write, and none if there is nothing to settle.
func requestsCommit(r *story) {
	l, limits := r.limiter(), []engine.Limit{engine.PerHour("a", 100), engine.PerHour("b", 100)}
	lease := r.mustAcquire(l, request(tokens("a", 10), limits...))
	r.wantRequests("a commit of nothing", 0, 0, func() { r.must(lease.Commit(r.Context())) })
	lease = r.mustAcquire(l, request(tokens("a", 10), limits...))
	r.must(lease.Adjust(engine.Tokens{"a": 5, "b": 7}))
	r.must(lease.Adjust(engine.Tokens{"a": -5, "b": -7}))
	r.wantRequests("a commit of adjustments that add up to nothing", 0, 0, func() { r.must(lease.Commit(r.Context())) })
	lease = r.mustAcquire(l, request(tokens("a", 10), limits...))
	r.must(lease.Adjust(engine.Tokens{"a": -5, "b": 7}))
	r.wantRequests("a commit of adjustments up and down", 1, 0, func() { r.must(lease.Commit(r.Context())) })
	lease = r.mustAcquire(l, request(tokens("a", 10), limits...))
	r.wantRequests("a rollback", 1, 0, func() { r.must(lease.Rollback(r.Context())) })
	r.wantRequests("a rollback after a rollback", 0, 0, func() { r.must(lease.Rollback(r.Context())) })
	r.wantLeft(l, "afterwards", "a:75 b:93", limits...)
}

// requestsPath: a path costs one write for each entity that has limits.
func requestsPath(r *story) {
	l, limit := r.limiter(func(o *engine.Options) { o.ConfigTTL = aDay }), engine.PerHour("rph", 10)
	r.mustEntity(l, engine.Entity{ID: "top"})
	r.mustEntity(l, engine.Entity{ID: "middle", Parent: "top", Cascade: true})
	r.mustEntity(l, engine.Entity{ID: user, Parent: "middle", Cascade: true})
	r.must(l.SetLimits(r.Context(), "top", "", []engine.Limit{limit}))
	q := request(tokens("rph", 1), engine.PerHour("rph", 5))
	r.mustAcquire(l, q)
	for range 4 {
		r.wantRequests("a path of three, two with limits", 2, 0, func() { r.mustAcquire(l, q) })
	}
	r.wantRequests("a known denial of the first", 0, 0, func() { r.mustDeny(l, q) })
	r.mustAcquire(l, engine.Request{Entity: "top", Resource: api, Consume: tokens("rph", 5)})
	r.clock.advance(12 * time.Minute) // the first has one token again, and the last two
	r.mustAcquire(l, engine.Request{Entity: "top", Resource: api, Consume: tokens("rph", 2)})
	r.wantRequests("a known denial of the last", 0, 1, func() { r.mustDeny(l, q) }) // the first's balance is read
	r.wantRequests("the next one", 0, 0, func() { r.mustDeny(l, q) })
}

// requestsFirstUse: a process reads the configuration once for each bucket; nothing needs to be created.
func requestsFirstUse(r *story) {
	l := r.limiter()
	for i := range 5 {
		q := request(tokens("rpm", 1), engine.PerMinute("rpm", 10))
		q.Entity = fmt.Sprintf("user-%d", i)
		reads := 1
		if i == 0 { // the process looks for changes for the first time, and reads the version of the schema
			reads++
		}
		r.wantRequests("first use", 1, reads, func() { r.mustAcquire(l, q) })
		r.wantRequests("second use", 1, 0, func() { r.mustAcquire(l, q) })
	}
}
