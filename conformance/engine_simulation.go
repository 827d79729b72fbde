package conformance

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// simulation runs actors one at a time in virtual time, which passes only while all of them wait. The order of events follows
// from the seed, on every machine, except while the engine works for one actor on several goroutines.
type simulation struct {
	seed uint64

	lock   sync.Mutex
	random *rand.Rand
	ns     int64 // since the beginning
	alive  int   // actors
	count  int
	due    schedule
	over   bool
	done   chan struct{}
}

// turn is when an actor continues.
type turn struct {
	at    int64
	count int // in order, where several are due at once
	wake  chan struct{}
}

type schedule []*turn

func (q schedule) Len() int { return len(q) }

// Less orders turns by time.
func (q schedule) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].count < q[j].count
}

func (q schedule) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *schedule) Push(x any) { *q = append(*q, x.(*turn)) }

// Pop implements [heap.Interface].
func (q *schedule) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newSimulation(seed uint64) *simulation {
	return &simulation{seed: seed, random: rand.New(rand.NewPCG(seed, 1)), done: make(chan struct{})}
}

// now returns the virtual time since the beginning.
func (s *simulation) now() time.Duration {
	s.lock.Lock()
	defer s.lock.Unlock()
	return time.Duration(s.ns)
}

// actor adds an actor that begins at a time.
func (s *simulation) actor(at time.Duration, act func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.alive++
	t := s.turnLocked(max(int64(at), s.ns))
	go func() {
		<-t.wake
		act()
		s.lock.Lock()
		defer s.lock.Unlock()
		s.alive--
		s.nextLocked()
	}()
}

func (s *simulation) turnLocked(at int64) *turn {
	s.count++
	t := &turn{at: at, count: s.count, wake: make(chan struct{})}
	heap.Push(&s.due, t)
	return t
}

// nextLocked runs the next actor. After the last one it frees goroutines that still wait for no actor.
func (s *simulation) nextLocked() {
	if s.alive == 0 && !s.over {
		s.over = true
		for _, t := range s.due {
			close(t.wake)
		}
		s.due = nil
		close(s.done)
	}
	if len(s.due) > 0 {
		t := heap.Pop(&s.due).(*turn)
		s.ns = max(s.ns, t.at)
		close(t.wake)
	}
}

// pause has the caller, a running actor, wait in virtual time.
func (s *simulation) pause(d time.Duration) {
	s.lock.Lock()
	if s.over {
		s.lock.Unlock()
		return
	}
	t := s.turnLocked(s.ns + int64(max(d, 0)))
	s.nextLocked()
	s.lock.Unlock()
	<-t.wake
}

// run returns after the last actor.
func (s *simulation) run() {
	s.lock.Lock()
	s.nextLocked()
	s.lock.Unlock()
	<-s.done
}

// between draws a time.
func (s *simulation) between(low, high time.Duration) time.Duration {
	s.lock.Lock()
	defer s.lock.Unlock()
	return low + time.Duration(s.random.Int64N(int64(high-low)+1))
}

// note calls f while no other note is made.
func (s *simulation) note(f func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	f()
}

// delay makes every call of the story's store take between low and high, half of it before the store acts.
func (s *simulation) delay(r *engineTest, low, high time.Duration) {
	pause := func(context.Context, limitertest.Call) { s.pause(s.between(low/2, high/2)) }
	r.faults.SetHooks(pause, pause)
}

// clock is an option: a clock that is ahead of the virtual time. The limiter does not look for changes of the configuration: it
// would do so in the background, beside the one actor that runs.
func (s *simulation) clock(ahead time.Duration) func(*engine.Options) {
	return func(o *engine.Options) {
		o.Now = func() time.Time { return time.Unix(0, epoch+int64(s.now()+ahead)) }
		o.Sleep = func(ctx context.Context, d time.Duration) error {
			s.pause(d)
			return ctx.Err()
		}
		o.FollowInterval = -1
	}
}
