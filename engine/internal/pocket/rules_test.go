package pocket_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

func TestPocketServesWithoutAWrite(t *testing.T) { // not parallel: it counts allocations
	s := newWarmStand(t)
	c := &pocket.Caller{Need: pocket.Tokens{1}}
	allocations := testing.AllocsPerRun(3, func() {
		s.now += 10_000
		if step := s.Ask(s.now, c); step.Send != nil || c.Verdict != pocket.Admitted {
			t.Errorf("verdict %v, write %v", c.Verdict, step.Send)
		}
	})
	s.want("allocations", allocations, 0.0)
	s.want("life", c.Born, num.FromInt64(1))
}

func TestIdlePocketGoesBack(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	asked := s.now
	for !s.Rest() {
		s.tick()
		for len(s.sent) > 0 {
			s.answer(5 * time.Millisecond)
		}
	}
	if waited := s.now - asked; waited > 300*ms {
		t.Errorf("after %d ms", waited/ms)
	}
	s.want("charged", s.charged, int64(400))
	s.want("used", s.used[0], int64(400))
	s.want("acquired", s.acq, int64(400))
}

// TestBlock: the pocket follows the demand, and is never more than 0.8 of what was handed out.
func TestBlock(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	most := int64(0)
	for range 2000 {
		s.now += ms
		s.ask()
		most = max(most, s.Pockets()[0])
		for len(s.sent) > 0 {
			s.answer(time.Millisecond / 4)
		}
	}
	if most < 60 || most > 101 { // 1,000 requests a second for 100 ms
		t.Errorf("the pocket held up to %d tokens, want about 100", most)
	}
}

// TestSmallLimits: a limit whose capacity is below a block, or that is asked for less than once in its time, works as
// without prefetch.
func TestSmallLimits(t *testing.T) {
	t.Parallel()
	fast := newStand(t, prefetch, perSecond(1000, 0.05))
	slow := newStand(t, prefetch, perSecond(10, 60))
	for range 100 {
		for s, pause := range map[*stand]int64{fast: ms, slow: 150 * ms} {
			s.now += pause
			s.ask()
			for len(s.sent) > 0 {
				s.answer(time.Millisecond / 4)
			}
			s.want("in the pocket", s.Pockets()[0], int64(0))
		}
	}
}

// TestShare: where others write, a forecast takes a tenth of what is there; alone it takes all that the block wants.
func TestShare(t *testing.T) {
	t.Parallel()
	for _, others := range []int64{0, 2} {
		s := newStand(t, prefetch, perSecond(100, 10))
		more := 0 // forecasts of more than a tenth
		for range 300 {
			s.now += ms
			s.ask(3)
			for len(s.sent) > 0 {
				s.ver += others
				if s.acq > 1 && s.sent[0].Extra()[0] > s.stored.rates[0].Available(s.tats[0], s.stored.rates[0].Y(s.now))/10 {
					more++
				}
				s.answer(time.Millisecond / 4)
			}
		}
		if alone := others == 0; alone != (more > 0) {
			t.Errorf("%d writes by others for each own one: %d forecasts of more than a tenth", others, more)
		}
	}
}

// TestScarce: after a refusal, who does not fit is denied until the pause ends, which lasts twice as long.
func TestScarce(t *testing.T) {
	t.Parallel()
	s := newStand(t, prefetch, perSecond(100, 1))
	s.ask(60)
	s.answer(5 * time.Millisecond)
	s.stored.take(&s.stored.rates[0], s.now, 40) // by another process
	c := s.ask(20)
	s.answer(5 * time.Millisecond)
	s.want("verdict", c.Verdict, pocket.Denied)
	s.want("scarce", s.Scarce(), true)
	d := s.ask(1)
	s.want("verdict", d.Verdict, pocket.Denied)
	if wait := d.Until - s.now; wait < 30*ms || wait > 50*ms {
		t.Errorf("denied for %d ms", wait/ms)
	}
	s.now = d.Until
	e := s.ask(1)
	s.want("verdict after the pause", e.Verdict, pocket.Pending)
	s.want("writes", len(s.sent), 1)
}

// TestPause stretches with the square of the writes a second, and is at most A/2, or what a bucket refills quickly in.
func TestPause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seconds float64
		others  int64 // writes in 10 ms
		want    int64
	}{
		{60, 0, 50 * ms}, {60, 2, 50 * ms}, {60, 6, 200 * ms}, {60, 20, 500 * ms}, {0.1, 0, 25 * ms}, {1, 6, 200 * ms},
	} {
		s := newStand(t, prefetch, perSecond(10_000, c.seconds))
		for range 300 {
			s.ver += c.others
			s.now += 9 * ms
			s.ask(1)
			for len(s.sent) > 0 {
				s.answer(time.Millisecond)
			}
		}
		if got := s.Pause(); c.want != 200*ms && got != c.want || c.want == 200*ms && (got < 150*ms || got > 300*ms) {
			t.Errorf("%g s of capacity, %d writes a second by others: a pause of %d ms, want %d", c.seconds, c.others*100, got/ms, c.want/ms)
		}
	}
}

// TestDebt: a limit in debt blocks the bucket, whatever is in the pocket.
func TestDebt(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	s.want("settled", s.Settle(s.now, pocket.Tokens{700_000}, num.FromInt64(1)), true)
	for s.charged < 700_000 {
		s.tick()
		s.answer(time.Millisecond)
	}
	c := s.ask()
	s.want("verdict", c.Verdict, pocket.Denied)
	if wait := (c.Until - s.now) / sec; wait != 9 && wait != 10 {
		t.Errorf("denied for %d s, want 10", wait)
	}
}

// TestSettleRefund: refunds serve the next callers, and a charge that is out of range is refused.
func TestSettleRefund(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	before, handed := s.Assets(), s.Handed()[0]
	s.want("settled", s.Settle(s.now, pocket.Tokens{-5}, num.FromInt64(1)), true)
	s.want("kept", s.Assets(), before+5)
	s.want("handed out", s.Handed()[0], handed-5)
	s.want("a refund to another life", s.Settle(s.now, pocket.Tokens{-5}, num.FromInt64(7)), true)
	s.want("kept", s.Assets(), before+5)
	s.want("lost", s.Counts().Lost, int64(5))
	for range 20 {
		s.Settle(s.now, pocket.Tokens{1_000_000_000_000_000}, num.FromInt64(1))
	}
	s.want("out of range", s.Settle(s.now, pocket.Tokens{1_000_000_000_000_000}, num.FromInt64(1)), false)
}

// TestRefundMakesRoomForAll: a request for the whole capacity, which only a refund in the same write makes room for, finds the
// limit active.
func TestRefundMakesRoomForAll(t *testing.T) {
	t.Parallel()
	s := newStand(t, pocket.Options{}, bucket.Limit{Capacity: 5, RefillAmount: 1, RefillPeriod: time.Hour})
	s.ask()
	s.answer(time.Millisecond)
	s.now += int64(2 * time.Second) // the record that was seen proves no denial any more
	s.want("settled", s.Settle(s.now, pocket.Tokens{-1}, num.FromInt64(1)), true)
	c := s.ask(5)
	for try := 0; len(s.sent) > 0 && try < 3; try++ {
		s.answer(time.Millisecond)
	}
	s.want("verdict", c.Verdict, pocket.Admitted)
}

// TestReset: the pocket and refunds belong to a life of the record.
func TestReset(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	s.want("settled", s.Settle(s.now, pocket.Tokens{-5}, num.FromInt64(1)), true)
	s.reset()
	for s.Counts().Lost == 0 {
		s.now += ms
		s.ask()
		for len(s.sent) > 0 {
			s.answer(time.Millisecond)
		}
	}
	if s.charged > 500 || s.Counts().Lost < 5 {
		t.Errorf("%d charged, %d lost", s.charged, s.Counts().Lost)
	}
}

// TestResetBeforeAWrite: a reset comes between a write that the pocket contributes to and its arrival. A caller that refunds
// all of it, or has left, refunds no more than the new life was charged.
func TestResetBeforeAWrite(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{false, true} {
		s := newWarmStand(t)
		c := s.ask(s.Pockets()[0] + 1)
		if len(s.sent) != 1 || s.sent[0].Reserved()[0] == 0 {
			t.Fatal("the pocket contributes nothing")
		}
		need := c.Need[0]
		if leaves {
			s.Leave(s.now, c)
		}
		s.reset()
		s.stored.take(&s.rates[0], s.now, 100) // another process takes these
		before := s.charged
		s.answer(time.Millisecond)
		if !leaves {
			s.want("verdict", c.Verdict, pocket.Admitted)
			s.want("settled", s.Settle(s.now, pocket.Tokens{-need}, c.Born), true)
		}
		s.take(s.Close(s.now))
		for len(s.sent) > 0 {
			s.answer(time.Millisecond)
		}
		s.want("rest", s.Rest(), true)
		if s.charged < before {
			t.Errorf("the new life was charged %d", s.charged-before)
		}
	}
}

// TestSlowWrite: what a write brings that took longer than A/10 does not go into the pocket, and its admissions do not
// count as handed out.
func TestSlowWrite(t *testing.T) {
	t.Parallel()
	for _, took := range []time.Duration{90 * time.Millisecond, 110 * time.Millisecond} {
		s := newWarmStand(t)
		for len(s.sent) == 0 {
			s.now += ms
			s.ask()
		}
		before, extra := s.Pockets()[0], s.sent[0].Extra()[0]
		s.answer(took)
		inTime := took < 100*time.Millisecond
		s.want("in the pocket", s.Pockets()[0] >= before+extra/2, inTime)
		s.want("kept", s.Assets() >= before+extra, true)
	}
}

// TestSlowAdmission is the same for a caller of the write.
func TestSlowAdmission(t *testing.T) {
	t.Parallel()
	for took, handed := range map[time.Duration]int64{90 * time.Millisecond: 7, 110 * time.Millisecond: 0} {
		s := newStand(t, prefetch, perSecond(1000, 60))
		s.ask(7)
		s.answer(took)
		s.want("handed out", s.Handed()[0], handed)
	}
}

// TestExhausted: while one limit denies every request, nothing of the others is stranded in memory.
func TestExhausted(t *testing.T) {
	t.Parallel()
	s := newStand(t, prefetch, perSecond(1, 200), perSecond(1000, 60))
	for range 2500 {
		s.now += ms
		s.ask(1, 10)
		for s.Due() <= s.now {
			s.tick()
		}
		for len(s.sent) > 0 {
			s.answer(time.Millisecond / 4)
		}
	}
	s.want("left in memory", s.Assets(), int64(0))
	s.want("charged", s.charged, s.used[0]+s.used[1])
	s.want("admitted", s.used[0] >= 200 && s.used[0] <= 203, true)
}

// TestSixteenLimits: the pocket holds all of them, and one that is not asked for is left out.
func TestSixteenLimits(t *testing.T) {
	t.Parallel()
	var limits []bucket.Limit
	need := make([]int64, 16)
	for i := range need {
		limits = append(limits, perSecond(1000*float64(i+1), 60))
		need[i] = int64(i)
	}
	s := newStand(t, prefetch, limits...)
	served := 0
	for range 500 {
		s.now += ms
		s.ask(need...)
		if len(s.sent) == 0 {
			served++
		}
		for len(s.sent) > 0 {
			s.answer(time.Millisecond / 4)
		}
	}
	s.want("of a limit that nobody asks for", s.Pockets()[0], int64(0))
	s.want("charged in proportion", s.used[15], 15*s.acq)
	if served < 400 {
		t.Errorf("%d of 500 served without a write", served)
	}
}

// TestEager: after a refusal one write is made at once for those who fit. If that is refused, too, the pause applies.
func TestEager(t *testing.T) {
	t.Parallel()
	s := newStand(t, prefetch, perSecond(1, 100))
	s.ask(60)
	s.answer(time.Millisecond)
	large := s.ask(20)
	middle := s.ask(5)
	s.stored.take(&s.stored.rates[0], s.now, 25) // by another process: 15 are left
	s.answer(time.Millisecond)
	s.want("verdict", large.Verdict, pocket.Denied)
	s.want("writes at once", len(s.sent), 1)
	small := s.ask(1)
	s.stored.take(&s.stored.rates[0], s.now, 12)
	s.answer(time.Millisecond)
	s.want("verdict", middle.Verdict, pocket.Denied)
	s.want("verdict of who would fit", small.Verdict, pocket.Denied)
	s.want("writes", len(s.sent), 0)
	if wait := small.Until - s.now; wait < 50*ms || wait > 100*ms {
		t.Errorf("denied for %d ms, want a doubled pause", wait/ms)
	}
}

// TestOrder: while others wait, nobody is served from the pocket before them.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := newStand(t, prefetch, perSecond(10_000, 60), perSecond(10_000, 60))
	for range 400 {
		s.now += ms
		s.ask(1, 1)
		for len(s.sent) > 0 {
			s.answer(time.Millisecond / 4)
		}
	}
	s.ask(500, 0)
	s.want("verdict of one that the pocket can serve", s.ask(0, 1).Verdict, pocket.Admitted)
	s.ask(500, 0)
	s.want("verdict behind one that waits", s.ask(0, 1).Verdict, pocket.Pending)
}

// TestUnknownRecord: a request that asks nothing of the bucket is not admitted before the record is known, which may be in debt.
func TestUnknownRecord(t *testing.T) {
	t.Parallel()
	for take, want := range map[int64]pocket.Verdict{0: pocket.Admitted, 101: pocket.Denied} {
		s := newStand(t, prefetch, perSecond(100, 1))
		s.stored.take(&s.stored.rates[0], s.now, take) // by another process
		c := s.ask(0)
		s.want("verdict at first", c.Verdict, pocket.Pending)
		for len(s.sent) > 0 {
			s.answer(time.Millisecond)
		}
		s.want("verdict", c.Verdict, want)
	}
}
