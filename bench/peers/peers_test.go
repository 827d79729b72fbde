package peers

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// eachContender runs f on every contender that limits.
func eachContender(t *testing.T, f func(*testing.T, contender)) {
	for _, c := range contenders {
		if c.kind == kindNothing {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f(t, c)
		})
	}
}

// capacityOf is what a key admits at most in these tests.
func capacityOf(c contender) int64 {
	if c.noBurst {
		return 1
	}
	return 100
}

func TestEachLimitIsEnforced(t *testing.T) {
	eachContender(t, func(t *testing.T, c contender) {
		n := capacityOf(c)
		for name, l := range map[string]limits{
			"first":  {frozen(n), frozen(2 * n)},
			"second": {frozen(2 * n), frozen(n)},
			"both":   {frozen(n), frozen(n)},
		} {
			p := c.openFunc(l)
			defer p.Close()
			for key := range 3 {
				if got := countAdmitted(p, key, int(2*n)); got != int(n) {
					t.Errorf("%s limit of %d, key %d: %d of %d admitted", name, n, key, got, 2*n)
				}
			}
		}
	})
}

func TestConcurrentCallersAreLimited(t *testing.T) {
	eachContender(t, func(t *testing.T, c contender) {
		n := capacityOf(c)
		p := c.openFunc(limits{frozen(n), frozen(n)})
		defer p.Close()
		var admitted atomic.Int64
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() { admitted.Add(int64(countAdmitted(p, 0, int(n)))) })
		}
		callers.Wait()
		// Two calls are not one step, so callers who get a first limit only may leave a peer short.
		if got := admitted.Load(); got > n || (c.kind != kindPeer && got != n) {
			t.Errorf("%d admitted with a capacity of %d", got, n)
		}
	})
}

func TestLimitsRefill(t *testing.T) {
	eachContender(t, func(t *testing.T, c contender) {
		quick := limit{Capacity: 1, Every: time.Microsecond}
		p := c.openFunc(limits{quick, quick})
		defer p.Close()
		if got := admittedWithin(p, 20, 5*time.Second); got < 20 {
			t.Errorf("%d admitted in five seconds at one per microsecond", got)
		}
	})
}

func TestWorkloads(t *testing.T) {
	for _, w := range workloads() {
		c := newCourse(w.small())
		for _, who := range contenders {
			if skips(who, w) {
				continue
			}
			t.Run(w.name+"/"+who.name, func(t *testing.T) {
				p := who.openFunc(c.limits)
				defer p.Close()
				if err := c.prepare(p); err != nil {
					t.Fatal(err)
				}
				if _, err := c.run(p, 2_000, 0); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestRunsOfAnotherWorkloadFail(t *testing.T) {
	course := newCourse(workload{name: "x", goroutines: 1, keys: 1000, spread: 0.9, limits: limits{ample, ample}, drawFunc: uniform, length: 1 << 12})
	admits, denies := newFloor(limits{ample, ample}), newFloor(limits{frozen(0), ample})
	if _, err := course.run(admits, 3_000, 0); err != nil {
		t.Errorf("the right workload: %v", err)
	}
	if _, err := course.run(denies, 3_000, 0); err == nil {
		t.Error("denials went unnoticed where all is admitted")
	}
	clear(course.seq)
	if _, err := course.run(admits, 3_000, 0); err == nil {
		t.Error("one key went unnoticed where there should be a thousand")
	}
	course.denied = true
	if _, err := course.run(admits, 3_000, 0); err == nil {
		t.Error("admissions went unnoticed where all is denied")
	}
}

func TestZipfIsSkewed(t *testing.T) {
	const keys, draws = 10_000, 1 << 17
	counts, most := make([]int, keys), 0
	for _, key := range zipf(keys, draws) {
		counts[key]++
		most = max(most, counts[key])
	}
	sum := 0.0
	for k := 1; k <= keys; k++ {
		sum += math.Pow(float64(k), -1.1)
	}
	if got, want := float64(most)/draws, 1/sum; math.Abs(got-want) > 0.01 {
		t.Errorf("the most popular key has %.3f of all draws, want %.3f", got, want)
	}
}

func TestHistogram(t *testing.T) {
	for v := uint64(0); v < 1<<40; v += v/7 + 1 {
		i := bucketOf(v)
		if end := bucketEnd(i); v > end || float64(end) > float64(v)*(1+1.0/histogramSteps) {
			t.Fatalf("%d is in a bucket that ends at %d", v, end)
		}
		if i > 0 && bucketEnd(i-1) >= v {
			t.Fatalf("%d belongs in an earlier bucket", v)
		}
	}
	var a, b histogram
	for i := range 100 {
		a.record(time.Duration(i))
		b.record(time.Second)
	}
	if got := a.quantile(0.5); got < 49 || got > 52 {
		t.Errorf("median of 0 to 99 is %d", got)
	}
	a.merge(&b)
	if got := a.quantile(0.99); got < time.Second || got > time.Second*17/16 {
		t.Errorf("p99 of a half that took a second is %v", got)
	}
}

// skips reports whether a contender cannot do the workload.
func skips(c contender, w workload) bool { return c.kind == kindNothing && w.denied }

func countAdmitted(p peer, key, n int) int {
	admitted := 0
	for range n {
		if p.Allow2(key) {
			admitted++
		}
	}
	return admitted
}

// admittedWithin asks until n were admitted or the time is over.
func admittedWithin(p peer, n int, d time.Duration) int {
	admitted := 0
	for start := now(); admitted < n && time.Since(start) < d; {
		if p.Allow2(0) {
			admitted++
		}
	}
	return admitted
}
