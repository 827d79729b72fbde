package bench

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// workload is who asks, about which keys, and what the answer has to be.
type workload struct {
	goroutines int
	keys       int
	depth      int                    // of the path of a key: 1 has no parents
	denied     bool                   // every decision is a denial; else every one an admission
	drawFunc   func(keys int) []int32 // the sequence of keys, of a length that is a power of two
	spread     float64                // least share of the keys that as many even draws would touch
}

// fan is how many children each parent has where keys have a path of more than one.
const fan = 10

// above is the position, within its level, of a key's ancestor; the key itself is at level 0.
func above(key, level int) int {
	for range level {
		key /= fan
	}
	return key
}

// small is the same workload on few keys.
func (w workload) small() workload {
	if w.keys > 1000 {
		w.keys = 1000
	}
	return w
}

// Sequences of keys, the same on every run.

func hot(int) []int32 { return []int32{0} }

func uniform(keys int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	seq := make([]int32, lengthFor(keys))
	for i := range seq {
		seq[i] = r.Int32N(int32(keys))
	}
	return seq
}

// zipf draws with exponent 1.1. Ranks are scattered over the keys: popular ones are no neighbours in memory.
func zipf(keys int) []int32 {
	r := rand.New(rand.NewPCG(3, 4))
	z, scattered := rand.NewZipf(r, 1.1, 1, uint64(keys-1)), r.Perm(keys)
	seq := make([]int32, lengthFor(keys))
	for i := range seq {
		seq[i] = int32(scattered[z.Uint64()])
	}
	return seq
}

func lengthFor(keys int) int { return 1 << bits.Len(uint(4*keys)) }

// subject is what is asked whether a key may do one more thing.
type subject interface {
	// caller is one goroutine's way to ask.
	caller() asker
	// taken is how many were admitted so far of each of some keys' ancestors at a level (0: the keys themselves),
	// by what the store has of them.
	taken(level int, of []int) ([]int64, error)
	// close gives everything up.
	close() error
}

type asker func(key int) (admitted bool, err error)

// course is a workload with its sequence drawn: made once, used by every subject.
type course struct {
	workload
	seq []int32
}

func newCourse(w workload) *course { return &course{workload: w, seq: w.drawFunc(w.keys)} }

// lap is one run of a course. It is made, run and checked; what is measured is the running only.
type lap struct {
	*course
	subject  subject
	n        int
	tallies  []tally
	touched  [][]int   // by level: positions of those that the sequence will meet
	before   [][]int64 // by level: what was taken of them
	elapsed  time.Duration
	admitted int
	lat      histogram
}

// tally is what one goroutine does and sees.
type tally struct {
	askFunc          asker
	start, count     int
	admitted, denied int
	lat              histogram
	err              error
	_                [128]byte
}

// newLap makes a lap of n decisions, shared out among the goroutines; turn moves the place in the sequence where they begin.
func (c *course) newLap(s subject, n, turn int) (*lap, error) {
	l := &lap{course: c, subject: s, n: n, tallies: make([]tally, c.goroutines)}
	at := turn * n
	for g := range l.tallies {
		t := &l.tallies[g]
		t.askFunc, t.start, t.count = s.caller(), at, n/c.goroutines
		if g < n%c.goroutines {
			t.count++
		}
		at += t.count
	}
	for level := range c.depth {
		l.touched = append(l.touched, l.meets(level))
	}
	var err error
	l.before, err = l.taken()
	return l, err
}

// meets lists what the sequence will meet at a level.
func (l *lap) meets(level int) []int {
	var of []int
	seen, mask := make([]bool, above(l.keys-1, level)+1), len(l.seq)-1
	for g := range l.tallies {
		t := &l.tallies[g]
		for i := range min(t.count, len(l.seq)) {
			if at := above(int(l.seq[(t.start+i)&mask]), level); !seen[at] {
				seen[at] = true
				of = append(of, at)
			}
		}
	}
	return of
}

func (l *lap) taken() (all [][]int64, err error) {
	for level, of := range l.touched {
		taken, err := l.subject.taken(level, of)
		if err != nil {
			return nil, err
		}
		all = append(all, taken)
	}
	return all, nil
}

// run is what is measured.
func (l *lap) run() {
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	for g := range l.tallies {
		if l.goroutines == 1 {
			break
		}
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-begin
			l.tallies[g].askTimed(l.seq)
		})
	}
	ready.Wait()
	start := time.Now()
	close(begin)
	if l.goroutines == 1 {
		l.tallies[0].ask(l.seq)
	}
	done.Wait()
	l.elapsed = time.Since(start)
}

// ask is one goroutine alone.
func (t *tally) ask(seq []int32) {
	mask := len(seq) - 1
	for i := t.start; i < t.start+t.count; i++ {
		if !t.note(t.askFunc(int(seq[i&mask]))) {
			return
		}
	}
}

// yieldEvery is how many decisions a goroutine takes before it lets another one run, off the clock: without that a few
// of them would finish one after the other, each alone, where decisions do not wait.
const yieldEvery = 16

// epoch is what single decisions are timed against: since it, the clock is read without the wall's part.
var epoch = time.Now()

// askTimed is one goroutine of many; each decision is timed.
func (t *tally) askTimed(seq []int32) {
	mask, last := len(seq)-1, time.Since(epoch)
	for i := t.start; i < t.start+t.count; i++ {
		if !t.note(t.askFunc(int(seq[i&mask]))) {
			return
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

func (t *tally) note(admitted bool, err error) bool {
	if admitted {
		t.admitted++
	} else {
		t.denied++
	}
	t.err = err
	return err == nil
}

// check fails a lap that was not its workload: by its answers, and by what the store has of every key that was to be met.
func (l *lap) check() error {
	denied := 0
	for g := range l.tallies {
		t := &l.tallies[g]
		if t.err != nil {
			return t.err
		}
		l.admitted, denied = l.admitted+t.admitted, denied+t.denied
		l.lat.merge(&t.lat)
	}
	switch least := l.leastTouched(); {
	case l.admitted+denied != l.n:
		return fmt.Errorf("%w: %d admitted and %d denied are not %d", errWorkload, l.admitted, denied, l.n)
	case l.denied && l.admitted != 0 || !l.denied && denied != 0:
		return fmt.Errorf("%w: %d were admitted and %d denied", errWorkload, l.admitted, denied)
	case len(l.touched[0]) < least:
		return fmt.Errorf("%w: %d keys are in it, at least %d belong there", errWorkload, len(l.touched[0]), least)
	}
	after, err := l.taken()
	for level := range after {
		if err == nil {
			err = l.checkLevel(level, after[level])
		}
	}
	return err
}

// checkLevel wants each bucket that was to be met to have been, and the sum to be what was admitted.
func (l *lap) checkLevel(level int, after []int64) error {
	sum, met := int64(0), 0
	for i := range after {
		taken := after[i] - l.before[level][i]
		if sum += taken; taken > 0 {
			met++
		}
	}
	want := len(after)
	if l.denied {
		want = 0
	}
	if sum != int64(l.admitted) || met != want {
		return fmt.Errorf("%w: %d taken of %d buckets at level %d, where it is %d of %d", errWorkload, sum, met, level, l.admitted, want)
	}
	return nil
}

// leastTouched is how many different keys the lap must meet.
func (l *lap) leastTouched() int {
	keys, draws := float64(l.keys), float64(min(l.n, len(l.seq)))
	return max(int(l.spread*keys*-math.Expm1(-draws/keys)), min(l.n, 1))
}

func (l *lap) perOp() float64 { return float64(l.elapsed.Nanoseconds()) / float64(l.n) }
