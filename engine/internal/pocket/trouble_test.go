package pocket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// TestLate: a write that hangs holds up others for 50 ms, and no more than two do so at a time.
func TestLate(t *testing.T) {
	t.Parallel()
	s := newStand(t, pocket.Options{}, perSecond(100, 60))
	s.ask()
	waiting := s.ask()
	s.want("writes under way", len(s.sent), 1)
	for beside := 2; beside <= 3; beside++ {
		s.tick()
		s.want("writes under way", len(s.sent), beside)
		if wait := s.now - start; wait != int64(beside-1)*50*ms {
			t.Errorf("write %d after %d ms", beside, wait/ms)
		}
		waiting = s.ask()
	}
	s.now += sec
	s.ask()
	s.want("writes under way", len(s.sent), 3)
	s.want("late", s.Counts().Late, int64(2))
	s.answer(time.Millisecond)
	s.want("verdict", waiting.Verdict, pocket.Pending)
}

// TestLeave: who leaves the queue is not in the next write; who leaves a write is refunded.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := newStand(t, pocket.Options{}, perSecond(100, 60))
	first, second, third := s.ask(), s.ask(), s.ask()
	s.Leave(s.now, second)
	s.Leave(s.now, first)
	s.answer(time.Millisecond)
	s.want("the second write is for", s.sent[0].Callers(), 1)
	s.answer(time.Millisecond)
	s.want("verdict", third.Verdict, pocket.Admitted)
	s.want("verdict of who left", first.Verdict, pocket.Pending)
	s.want("charged", s.charged, int64(1)) // the second write carried the refund
	s.want("used", s.used[0], int64(1))
	s.want("acquired", s.acq, int64(1))

	alone := s.ask()
	s.Leave(s.now, alone)
	s.answer(time.Millisecond)
	since := s.now
	s.tick()
	s.want("refunded after", s.now-since, 100*ms)
	s.answer(time.Millisecond)
	s.want("charged", s.charged, int64(1))
	s.want("rest", s.Rest(), true)
}

// TestThrottled: three resends with jitter, then a denial.
func TestThrottled(t *testing.T) {
	t.Parallel()
	s := newStand(t, pocket.Options{}, perSecond(100, 60))
	c := s.ask()
	for k := range 3 {
		step := s.take(s.Throttled(s.now, s.message().w, uint64(40*ms<<k-1)))
		s.want("after", step.After, 40*ms<<k-1)
		s.want("decided", len(step.Decided), 0)
	}
	step := s.Throttled(s.now, s.message().w, 0)
	s.want("decided", len(step.Decided), 1)
	s.want("verdict", c.Verdict, pocket.Denied)
	s.want("until", c.Until, s.now+sec)
	s.want("rest", s.Rest(), true)
}

// newRefunding is the stand of a buyer for which one token waits to be refunded.
func newRefunding(t *testing.T) *stand {
	s := newStand(t, pocket.Options{}, perSecond(100, 60))
	s.ask()
	s.answer(time.Millisecond)
	s.settle(-1)
	return s
}

// TestThrottledAfterUnknown: refunds of a send whose outcome is unknown are reported as lost although the write has failed otherwise.
func TestThrottledAfterUnknown(t *testing.T) {
	t.Parallel()
	s := newRefunding(t)
	s.ask()
	s.take(s.Unknown(s.now, s.message().w))
	for range 4 {
		s.take(s.Throttled(s.now, s.message().w, 0))
	}
	lost, _ := s.TakeLost()
	s.want("lost", fmt.Sprint(lost.Refund), "[1]")
}

// TestThrottledPause: after throttling, the pause is that of a record that takes no more writes, for some replies.
func TestThrottledPause(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	s.want("pause", s.Pause(), 50*ms)
	for len(s.sent) == 0 {
		s.now += ms
		s.ask()
	}
	s.take(s.Throttled(s.now, s.message().w, 0))
	s.want("pause", s.Pause(), 500*ms)
	for range 20 {
		for len(s.sent) == 0 {
			s.now += ms
			s.ask()
		}
		s.answer(time.Millisecond)
	}
	s.want("pause", s.Pause(), 50*ms)
}

// TestFailed: what a failed write carried for others goes with the next one, unless the outcome is unknown.
func TestFailed(t *testing.T) {
	t.Parallel()
	for _, certain := range []bool{true, false} {
		s := newRefunding(t)
		c, d := s.ask(), s.ask()
		step := s.take(s.Failed(s.now, s.message().w, certain))
		s.want("verdict", c.Verdict, pocket.Failed)
		s.want("verdict of the next", d.Verdict, pocket.Pending)
		s.want("decided", len(step.Decided), 1)
		refund, lost := int64(1), int64(0)
		if !certain {
			refund, lost = 0, 1
		}
		s.want("refund in the next", s.sent[0].Refund[0], refund)
		s.want("lost", s.Counts().Lost, lost)
	}
}

// TestUnknown: refunds are sent once.
func TestUnknown(t *testing.T) {
	t.Parallel()
	s := newRefunding(t)
	s.ask()
	w := s.message().w
	s.want("once", w.Once(), true)
	step := s.Unknown(s.now, w)
	s.want("the same write", step.Send, w)
	s.want("refund", w.Refund[0], int64(0))
	s.want("used", w.Used[0], int64(1)) // by its caller
	s.want("once", w.Once(), false)
	s.Recognize(w)
	s.Applied(s.now, w, &pocket.Record{Tats: s.tats, Ver: s.ver + 1, Born: num.FromInt64(1)})
	s.want("lost", s.Counts().Lost, int64(0))
}

// TestClose: who waits is told, the write under way is awaited, and one write settles the rest.
func TestClose(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	for len(s.sent) == 0 {
		s.now += ms / 4
		s.ask(7)
	}
	waiting := s.ask(60)
	step := s.Close(s.now)
	s.want("decided", len(step.Decided), 1)
	s.want("verdict", waiting.Verdict, pocket.Closed)
	s.want("verdict after", s.ask().Verdict, pocket.Closed)
	s.answer(time.Millisecond)
	s.want("writes", len(s.sent), 1)
	s.want("rest", s.Rest(), false)
	s.answer(time.Millisecond)
	s.want("rest", s.Rest(), true)
	s.want("charged", s.charged, s.used[0])
}

// TestRetire: the limit set has changed. The queue asks again, and what is left is for the driver to settle.
func TestRetire(t *testing.T) {
	t.Parallel()
	for _, converted := range []bool{true, false} {
		s := newWarmStand(t)
		held := s.Assets()
		c := s.ask(500)
		waiting := s.ask(500)
		w := s.message().w
		bought := w.Extra()[0]
		step := s.Retire(s.now, w, converted, num.FromInt64(1))
		s.want("decided", len(step.Decided), 2)
		s.want("verdict of the queue", waiting.Verdict, pocket.Again)
		owed := s.Owed()
		if converted {
			s.want("verdict", c.Verdict, pocket.Admitted)
			s.want("owed", owed.Refund[0], held-w.Reserved()[0]+bought)
		} else {
			s.want("verdict", c.Verdict, pocket.Again)
			s.want("owed", owed.Refund[0], held)
		}
		s.want("rest", s.Rest(), true)
		s.want("verdict after", s.ask().Verdict, pocket.Again)
	}
}

// TestBehind: each caller's status is as of its place in the order.
func TestBehind(t *testing.T) {
	t.Parallel()
	s := newStand(t, pocket.Options{}, perSecond(100, 60))
	s.ask()
	callers := []*pocket.Caller{s.ask(5), s.ask(3), s.ask(2)}
	s.answer(time.Millisecond)
	s.answer(time.Millisecond)
	for k, behind := range []int64{5, 2, 0} {
		s.want("behind", callers[k].Behind[0], behind)
	}
}

// TestOutage: while the store is away, the pocket is handed out, and a failure does not make the next write start at once.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, certain := range []bool{true, false} {
		s := newWarmStand(t)
		served, failures := 0, 0
		for range 200 {
			s.now += ms
			if s.ask().Verdict == pocket.Admitted {
				served++
			}
			for len(s.sent) > 0 && failures < 1000 {
				failures++
				s.take(s.Failed(s.now, s.message().w, certain))
			}
		}
		if served < 10 || failures > 200 {
			t.Errorf("%d served, %d writes failed", served, failures)
		}
	}
}

// TestAway: while the store is away, what waits for a write is tried now and then, not all the time.
func TestAway(t *testing.T) {
	t.Parallel()
	s := newWarmStand(t)
	until, tries := s.now+10*sec, 0
	for s.now < until && s.Due() < until {
		if s.tick(); len(s.sent) > 0 {
			tries++
			w := s.sent[0]
			s.sent = s.sent[1:]
			s.take(s.Failed(s.now, w, true))
		}
		if tries > 1000 {
			t.Fatal("tried all the time")
		}
	}
	s.want("tried", tries > 10, true)
}

// TestTriesAreOfTheirCallers: callers that are denied one after another, each by a write of its own, are no contention.
func TestTriesAreOfTheirCallers(t *testing.T) {
	t.Parallel()
	s := newStand(t, prefetch, perSecond(1, 2))
	for range 100 {
		s.now += 2 * sec
		s.stored.take(&s.rates[0], s.now, 2) // another process takes what there is
		c := s.ask()
		for len(s.sent) > 0 {
			s.answer(time.Millisecond)
		}
		if c.Verdict != pocket.Denied {
			t.Fatalf("verdict %d", c.Verdict)
		}
	}
}

// TestDenialsAfterAClockStepsBack: after a clock has stepped back, what was seen before proves no denial, or a reset would go unnoticed until the
// clock has caught up. What is seen then proves denials again.
func TestDenialsAfterAClockStepsBack(t *testing.T) {
	t.Parallel()
	s := newStand(t, prefetch, perSecond(100, 1))
	asked := func(what string, wrote bool, verdict pocket.Verdict) {
		t.Helper()
		c := s.ask(90)
		s.want("a write "+what, len(s.sent) > 0, wrote)
		for len(s.sent) > 0 {
			s.answer(5 * time.Millisecond)
		}
		s.want("verdict "+what, c.Verdict, verdict)
	}
	s.ask(60)
	s.answer(5 * time.Millisecond)
	asked("at first", false, pocket.Denied)
	s.now -= 3600 * sec
	asked("after the step back", true, pocket.Denied)
	s.now += 200 * ms
	asked("a little later", false, pocket.Denied)
	s.now -= 3600 * sec
	s.stored.reset()
	asked("after a reset", true, pocket.Admitted)
}

// TestNetAfterAFailure: what a lease refunds while its charge fails is set off against it. In one write for a full bucket the charge
// would be made, and the refund be lost.
func TestNetAfterAFailure(t *testing.T) {
	t.Parallel()
	s := newStand(t, prefetch, perSecond(1000, 1))
	s.ask(1)
	s.answer(time.Millisecond)
	s.now += sec // full again
	settle := func(n int64) {
		s.want("in range", s.Settle(s.now, pocket.Tokens{n}, num.FromInt64(1)), true)
	}
	settle(39)
	for len(s.sent) == 0 {
		s.tick()
	}
	settle(-16)
	w := s.message().w
	s.take(s.Failed(s.now, w, true))
	for len(s.sent) == 0 {
		s.tick()
	}
	s.want("charged", s.sent[0].Charge[0], int64(23))
	s.want("refunded", s.sent[0].Refund[0], int64(0))
}
