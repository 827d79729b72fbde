package pocket_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// dry is a limit that does not refill while a test runs.
func dry(capacity int64) bucket.Limit {
	return bucket.Limit{Name: "l", Capacity: capacity, RefillAmount: 1, RefillPeriod: bucket.MaxPeriod}
}

// meet lets callers with these needs meet on one bucket within 20 ms, spread over some processes, and returns their
// requests in order of arrival.
func meet(t failer, limits []bucket.Limit, processes int, needs []pocket.Tokens, seed uint64) (*world, []*request) {
	w := newWorld(scenario{name: "meeting", processes: processes, limits: limits, level: 1, exact: true, length: 10 * sec}, seed)
	w.checks, w.fail, w.quiet = true, t.Fatalf, true
	w.events.heap = nil // no other requests
	requests := make([]*request, len(needs))
	for k, need := range needs {
		p := w.procs[w.r.IntN(processes)]
		r := &request{p: p, need: need, n: 1, first: w.now}
		r.parts[0] = part{h: p.handle(w, 0), r: r}
		r.parts[0].Need, r.parts[0].Tag = need, &r.parts[0]
		p.open++
		requests[k] = r
		w.events.add(event{at: w.now + int64(k)*20*ms/int64(len(needs)), kind: atRetry, r: r})
	}
	w.run()
	w.checkQuiet(t)
	return w, requests
}

// TestSharedWrites: whatever the schedule, the outcome is that of the bucket serving the callers one by one. While no time
// passes, a record only gets emptier, so a denial is right if the record does not hold the request when it is given.
func TestSharedWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limits := []bucket.Limit{dry(rapid.Int64Range(1, 30).Draw(t, "capacity"))}
		if rapid.Bool().Draw(t, "two") {
			limits = append(limits, dry(rapid.Int64Range(1, 30).Draw(t, "other capacity")))
		}
		most := rapid.SampledFrom([]int64{1, 1, 6}).Draw(t, "most")
		var needs []pocket.Tokens
		for range rapid.IntRange(1, 60).Draw(t, "callers") {
			need := make(pocket.Tokens, len(limits))
			for i, l := range limits {
				need[i] = min(l.Capacity, rapid.Int64Range(1, most).Draw(t, "need"))
			}
			needs = append(needs, need)
		}
		w, requests := meet(t, limits, rapid.IntRange(1, 4).Draw(t, "processes"), needs, rapid.Uint64().Draw(t, "seed"))

		admitted := 0
		for k, r := range requests {
			if !r.denied {
				admitted++
				continue
			}
			for _, later := range requests[k+1:] {
				late := r.parts[0].h.b.Counts().Late > 0 // then the next write may overtake it
				if r.failed || !later.denied && !late && later.p == r.p && covers(later.need, r.need) {
					t.Fatalf("caller %d (%v, failed %v) was denied, and one after it (%v) admitted", k, r.need, r.failed, later.need)
				}
			}
		}
		if w.wrongly > 0 {
			t.Fatalf("%d callers were denied although the record had their tokens", w.wrongly)
		}
		least := limits[0].Capacity
		if len(limits) == 2 {
			least = min(least, limits[1].Capacity)
		}
		if want := min(int(least), len(needs)); most == 1 && admitted != want {
			t.Fatalf("%d of %d callers admitted, want %d", admitted, len(needs), want)
		}
	})
}

func covers(a, b pocket.Tokens) bool {
	for i := range b {
		if a[i] < b[i] {
			return false
		}
	}
	return true
}

// TestSharedWritesAreFew: 64 callers that meet on a bucket cost a write for each few of them, and those that one process
// has to deny cost none.
func TestSharedWritesAreFew(t *testing.T) {
	t.Parallel()
	needs := make([]pocket.Tokens, 640)
	for i := range needs {
		needs[i] = pocket.Tokens{1}
	}
	w, _ := meet(t, []bucket.Limit{dry(320)}, 1, needs, 1)
	if s := w.buckets[0]; s.writes > 20 || s.refused > 1 || s.used[0] != 320 || s.acq != 320 {
		t.Errorf("%d writes, %d of them refused, for 640 callers; used %d, acquired %d, want 320", s.writes, s.refused, s.used[0], s.acq)
	}
}
