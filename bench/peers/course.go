package peers

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"
)

// course is a workload with its sequence drawn: made once, used by every contender.
type course struct {
	workload
	seq []int32
}

func newCourse(w workload) *course { return &course{workload: w, seq: w.drawFunc(w.keys, w.length)} }

// prepare makes all keys live. Each is admitted once; where all shall be denied that was the last time.
func (c *course) prepare(p peer) error {
	for key := range c.keys {
		if !p.Allow2(key) {
			return fmt.Errorf("peers: %s: key %d denied at first use", c.name, key)
		}
	}
	return nil
}

// tally is what one goroutine saw.
type tally struct {
	admitted, denied int
	lat              histogram
	_                [128]byte
}

// result is what one run of a course did and took.
type result struct {
	n, admitted, denied, touched int
	elapsed                      time.Duration
	mallocs                      uint64
	lat                          histogram
}

func (r *result) perOp() float64  { return float64(r.elapsed.Nanoseconds()) / float64(r.n) }
func (r *result) allocs() float64 { return float64(r.mallocs) / float64(r.n) }

// run asks n times, shared out among the goroutines; turn moves the place in the sequence where they begin.
func (c *course) run(p peer, n, turn int) (*result, error) {
	tallies := make([]tally, c.goroutines)
	starts, counts := c.shares(n, turn)
	var before, after runtime.MemStats
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	for g := range tallies {
		if c.goroutines == 1 {
			break
		}
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-begin
			c.ask(p, starts[g], counts[g], &tallies[g])
		})
	}
	ready.Wait()
	runtime.ReadMemStats(&before)
	t, cpu := now(), used()
	close(begin)
	if c.goroutines == 1 {
		c.ask(p, starts[0], counts[0], &tallies[0])
	}
	done.Wait()
	r := &result{n: n, elapsed: time.Since(t)}
	if c.busy {
		r.elapsed = (used() - cpu) / time.Duration(c.goroutines)
	}
	runtime.ReadMemStats(&after)
	r.mallocs = after.Mallocs - before.Mallocs
	for g := range tallies {
		r.admitted += tallies[g].admitted
		r.denied += tallies[g].denied
		r.lat.merge(&tallies[g].lat)
	}
	r.touched = c.touched(starts, counts)
	return r, c.check(r)
}

// shares says where in the sequence each goroutine begins and how often it asks.
func (c *course) shares(n, turn int) (starts, counts []int) {
	starts, counts = make([]int, c.goroutines), make([]int, c.goroutines)
	at := turn * n
	for g := range starts {
		starts[g], counts[g] = at, n/c.goroutines
		if g < n%c.goroutines {
			counts[g]++
		}
		at += counts[g]
	}
	return starts, counts
}

// ask is the loop that is measured, the same for all.
func (c *course) ask(p peer, start, count int, t *tally) {
	if c.timed {
		c.askTimed(p, start, count, t)
		return
	}
	seq, mask := c.seq, len(c.seq)-1
	admitted, denied := 0, 0
	for i := start; i < start+count; i++ {
		if p.Allow2(int(seq[i&mask])) {
			admitted++
		} else {
			denied++
		}
	}
	t.admitted, t.denied = admitted, denied
}

// yieldEvery is how many decisions a goroutine takes before it lets another one run, off the clock: without that a few
// of them would finish one after the other, each alone.
const yieldEvery = 16

// askTimed is the loop for the times of single decisions.
func (c *course) askTimed(p peer, start, count int, t *tally) {
	seq, mask := c.seq, len(c.seq)-1
	last := time.Since(epoch)
	for i := start; i < start+count; i++ {
		if p.Allow2(int(seq[i&mask])) {
			t.admitted++
		} else {
			t.denied++
		}
		at := time.Since(epoch)
		t.lat.record(at - last)
		if i%yieldEvery == 0 {
			runtime.Gosched()
			at = time.Since(epoch)
		}
		last = at
	}
}

// touched counts the different keys of a run, after it.
func (c *course) touched(starts, counts []int) int {
	seen, n, mask := make([]bool, c.keys), 0, len(c.seq)-1
	for g := range starts {
		for i := range min(counts[g], len(c.seq)) {
			if key := c.seq[(starts[g]+i)&mask]; !seen[key] {
				seen[key] = true
				n++
			}
		}
	}
	return n
}

// check fails a run that was not the workload it is named after.
func (c *course) check(r *result) error {
	switch want := c.leastTouched(r.n); {
	case r.admitted+r.denied != r.n:
		return fmt.Errorf("peers: %s: %d admitted and %d denied are not %d", c.name, r.admitted, r.denied, r.n)
	case c.denied && r.admitted != 0:
		return fmt.Errorf("peers: %s: %d of %d were admitted", c.name, r.admitted, r.n)
	case !c.denied && r.denied != 0:
		return fmt.Errorf("peers: %s: %d of %d were denied", c.name, r.denied, r.n)
	case r.touched < want || (c.keys == 1 && r.touched != 1):
		return fmt.Errorf("peers: %s: %d keys touched, at least %d expected", c.name, r.touched, want)
	case c.timed && r.lat.total != uint64(r.n):
		return fmt.Errorf("peers: %s: %d of %d were timed", c.name, r.lat.total, r.n)
	}
	return nil
}

// leastTouched is how many different keys n decisions must have met.
func (c *course) leastTouched(n int) int {
	keys, draws := float64(c.keys), float64(min(n, len(c.seq)))
	even := keys * -math.Expm1(-draws/keys)
	return max(int(c.spread*even), min(n, 1))
}
