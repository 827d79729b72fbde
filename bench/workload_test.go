package bench

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"
)

// counter admits everything and counts it, or says so.
type counter struct {
	lock    sync.Mutex
	counts  [3]map[int]int64
	levels  int
	askFunc func(key int) (counted int, admitted bool) // -1: not counted
}

func newCounter(levels int) *counter {
	c := &counter{levels: levels, askFunc: func(key int) (int, bool) { return key, true }}
	for level := range c.counts {
		c.counts[level] = map[int]int64{}
	}
	return c
}

func (c *counter) caller() asker {
	return func(key int) (bool, error) {
		c.lock.Lock()
		defer c.lock.Unlock()
		key, admitted := c.askFunc(key)
		for level := 0; level < c.levels && key >= 0; level++ {
			c.counts[level][above(key, level)]++
		}
		return admitted, nil
	}
}

func (c *counter) taken(level int, of []int) (all []int64, err error) {
	for _, at := range of {
		all = append(all, c.counts[level][at])
	}
	return all, nil
}

func (c *counter) close() error { return nil }

func lapOf(w workload, s subject, n int) error {
	l, err := newCourse(w).newLap(s, n, 1)
	if err != nil {
		return err
	}
	l.run()
	return l.check()
}

// TestRunsOfAnotherWorkloadFail proves that no run can be something else than it is named after.
func TestRunsOfAnotherWorkloadFail(t *testing.T) {
	thousand := workload{goroutines: 4, keys: 1000, depth: 1, drawFunc: uniform, spread: 0.9}
	oneKey, deny, deep := thousand, thousand, thousand
	oneKey.drawFunc, deny.denied, deep.depth = func(keys int) []int32 { return make([]int32, lengthFor(keys)) }, true, 3
	for _, c := range []struct {
		name string
		workload
		levels  int
		askFunc func(key int) (int, bool)
		right   bool
	}{
		{"the workload", thousand, 1, nil, true},
		{"the workload, with parents", deep, 3, nil, true},
		{"one key where there should be a thousand", oneKey, 1, nil, false},
		{"parents that are not charged", deep, 2, nil, false},
		{"all of it counted for one key", thousand, 1, func(int) (int, bool) { return 0, true }, false},
		{"nothing counted", thousand, 1, func(int) (int, bool) { return -1, true }, false},
		{"denied", thousand, 1, func(int) (int, bool) { return -1, false }, false},
		{"one denied", thousand, 1, func(key int) (int, bool) { return key, key != 7 }, false},
		{"all denied", deny, 1, func(int) (int, bool) { return -1, false }, true},
		{"denied and counted", deny, 1, func(key int) (int, bool) { return key, false }, false},
		{"admitted where all is denied", deny, 1, func(int) (int, bool) { return -1, true }, false},
	} {
		s := newCounter(c.levels)
		if c.askFunc != nil {
			s.askFunc = c.askFunc
		}
		if err := lapOf(c.workload, s, 3000); (err == nil) != c.right || err != nil && !errors.Is(err, errWorkload) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestZipfIsSkewed(t *testing.T) {
	const keys = 10_000
	counts, most, seq := make([]int, keys), 0, zipf(keys)
	for _, key := range seq {
		counts[key]++
		most = max(most, counts[key])
	}
	sum := 0.0
	for k := 1; k <= keys; k++ {
		sum += math.Pow(float64(k), -1.1)
	}
	if got, want := float64(most)/float64(len(seq)), 1/sum; math.Abs(got-want) > 0.02 {
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
