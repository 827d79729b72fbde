package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// DynamoDB takes so many writes a second on one record, and 200 ms of them at once.
const (
	hotWrites = 1000.0
	hotBurst  = hotWrites / 5
)

// lostAfter is how long a process waits for a reply that is lost.
const lostAfter = 250 * time.Millisecond

// store is what all processes share: a store in memory that is as far away as DynamoDB, throttles hot records, and knows as
// little about records as DynamoDB does.
type store struct {
	backend.Backend
	lost   float64       // part of the replies
	steady time.Duration // what each write takes; 0: it varies

	lock sync.Mutex
	left map[backend.Key]*allowance
}

// allowance is what a record takes before it is throttled.
type allowance struct {
	writes float64
	at     time.Time
}

func newStore(lost float64, steady time.Duration) *store {
	return &store{Backend: memory.New(nil), lost: lost, steady: steady, left: map[backend.Key]*allowance{}}
}

// throttles counts a write of a record, and reports whether it is one too many.
func (s *store) throttles(key backend.Key) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	a := s.left[key]
	if a == nil {
		a = &allowance{hotBurst, time.Now()}
		s.left[key] = a
	}
	a.writes, a.at = min(hotBurst, a.writes+time.Since(a.at).Seconds()*hotWrites), time.Now()
	if a.writes < 1 {
		return true
	}
	a.writes--
	return false
}

// view is the store as one process sees it.
type view struct {
	*store
	dead atomic.Bool // the process is: nothing that it sends arrives any more

	lock   sync.Mutex
	random *rand.Rand
	writes map[backend.Key]int64
}

func (s *store) view(seed, process uint64) *view {
	return &view{store: s, random: rand.New(rand.NewPCG(seed, process<<1|1)), writes: map[backend.Key]int64{}}
}

// Capabilities implements [backend.Backend].
func (v *view) Capabilities() backend.Capabilities {
	c := v.Backend.Capabilities()
	c.NoIO, c.Max, c.HonorsContext = false, false, true
	return c
}

// Apply implements [backend.Backend].
func (v *view) Apply(ctx context.Context, writes []backend.Write, outs []backend.Outcome) (err error) {
	if v.dead.Load() || ctx.Err() != nil {
		return fail(outs, backend.ErrUnavailable)
	}
	there, back, lost := v.send(writes)
	if pause.For(ctx, there) != nil {
		return fail(outs, backend.ErrUnavailable)
	}
	for i := range writes {
		if v.throttles(writes[i].Key) {
			outs[i].Err = backend.ErrThrottled
		} else {
			_ = v.Backend.Apply(ctx, writes[i:i+1], outs[i:i+1]) // the error is in the outcome
		}
		if err == nil {
			err = outs[i].Err
		}
	}
	if lost {
		back += lostAfter
	}
	if pause.For(ctx, back) != nil || lost || v.dead.Load() {
		return fail(outs, backend.ErrOutcomeUnknown)
	}
	return err
}

func fail(outs []backend.Outcome, err error) error {
	for i := range outs {
		outs[i].Err = err
	}
	return err
}

// send counts writes, and draws how long they take to the store and back: 3 to 15 ms, one in a hundred up to 55 ms, one
// in a thousand up to 215 ms.
func (v *view) send(writes []backend.Write) (there, back time.Duration, lost bool) {
	v.lock.Lock()
	defer v.lock.Unlock()
	for i := range writes {
		v.writes[writes[i].Key]++
	}
	if v.steady > 0 {
		return v.steady / 2, v.steady / 2, false
	}
	r := v.random
	took := 3 + 3.5*r.ExpFloat64()
	if took > 15 {
		took = 3 + 12*r.Float64()
	}
	switch tail := r.Float64(); {
	case tail < 0.001:
		took += 60 + 140*r.Float64()
	case tail < 0.01:
		took += 15 + 25*r.Float64()
	}
	all := time.Duration(took * float64(time.Millisecond))
	there = time.Duration(float64(all) * (0.3 + 0.4*r.Float64()))
	return there, all - there, r.Float64() < v.lost
}

// sent are the process's writes, of all records and of the busiest one.
func (v *view) sent() (all, busiest int64) {
	v.lock.Lock()
	defer v.lock.Unlock()
	for _, n := range v.writes {
		all, busiest = all+n, max(busiest, n)
	}
	return all, busiest
}
