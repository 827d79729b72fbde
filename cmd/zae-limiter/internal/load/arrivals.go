package load

import (
	"context"
	"math/rand/v2"
	"time"
)

// arrival is one request of a schedule.
type arrival struct {
	at       time.Time // when it comes, whatever becomes of those before it
	entity   int
	limiter  int
	rollBack bool
}

// source draws arrivals, the same for the same seed.
type source struct {
	o        *Options
	rand     *rand.Rand
	zipf     *rand.Zipf // nil: all alike
	limiters int
}

func newSource(o *Options, limiters int, stage uint64) *source {
	s := &source{o: o, rand: rand.New(rand.NewPCG(o.Seed, stage)), limiters: limiters}
	if o.Skew > 0 && len(o.Paths) > 1 {
		s.zipf = rand.NewZipf(s.rand, o.Skew, 1, uint64(len(o.Paths)-1))
	}
	return s
}

// offer hands the arrivals of a stage on, each not before its time, until the stage or ctx ends. Who takes them may be
// late: the schedule is not.
func (s *source) offer(ctx context.Context, start time.Time, most time.Duration, to chan<- arrival) {
	seconds := 0.0
	for n := 1; ; n++ {
		if s.o.Even {
			seconds = float64(n-1) / s.o.Rate
		} else {
			seconds += s.rand.ExpFloat64() / s.o.Rate
		}
		due := time.Duration(seconds * float64(time.Second))
		if due >= most {
			return
		}
		a := s.draw(start.Add(due))
		if early := a.at.Sub(s.o.Now()); early > 0 && s.o.Sleep(ctx, early) != nil {
			return
		}
		select {
		case to <- a:
		case <-ctx.Done():
			return
		}
	}
}

func (s *source) draw(at time.Time) arrival {
	a := arrival{at: at, limiter: s.rand.IntN(s.limiters)}
	if s.zipf != nil {
		a.entity = int(s.zipf.Uint64()) //nolint:gosec // below the number of paths
	} else {
		a.entity = s.rand.IntN(len(s.o.Paths))
	}
	a.rollBack = s.rand.Float64() < s.o.RollBack
	return a
}
