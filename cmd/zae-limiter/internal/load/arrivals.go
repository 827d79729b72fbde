package load

import (
	"context"
	"math/rand/v2"
	"time"
)

// arrival is a scheduled request.
type arrival struct {
	at       time.Time // scheduled time, independent of earlier calls
	entity   int
	limiter  int
	rollBack bool
}

// source generates arrivals; equal seeds give equal arrivals.
type source struct {
	o        *Options
	rand     *rand.Rand
	zipf     *rand.Zipf // nil for a uniform distribution
	limiters int
}

func newSource(o *Options, limiters int, stage uint64) *source {
	s := &source{o: o, rand: rand.New(rand.NewPCG(o.Seed, stage)), limiters: limiters}
	if o.Skew > 0 && len(o.Paths) > 1 {
		s.zipf = rand.NewZipf(s.rand, o.Skew, 1, uint64(len(o.Paths)-1))
	}
	return s
}

// send sends the arrivals of a stage to a channel, none before its time, until the stage ends or ctx is done. A slow receiver does
// not change the schedule.
func (s *source) send(ctx context.Context, start time.Time, length time.Duration, to chan<- arrival) {
	seconds := 0.0
	for n := 1; ; n++ {
		if s.o.Even {
			seconds = float64(n-1) / s.o.Rate
		} else {
			seconds += s.rand.ExpFloat64() / s.o.Rate
		}
		if seconds >= length.Seconds() { // before they become a Duration, which ends after 292 years
			return
		}
		a := s.draw(start.Add(time.Duration(seconds * float64(time.Second))))
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
		a.entity = int(s.zipf.Uint64()) //nolint:gosec // less than the number of paths
	} else {
		a.entity = s.rand.IntN(len(s.o.Paths))
	}
	a.rollBack = s.rand.Float64() < s.o.RollBack
	return a
}
