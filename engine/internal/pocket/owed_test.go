package pocket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// newOwing is the stand of a buyer for which 39 tokens wait to be charged, on a record that is full.
func newOwing(t *testing.T) *stand {
	s := newStand(t, pocket.Options{}, perSecond(1000, 1))
	s.ask()
	s.answer(time.Millisecond)
	s.now += sec
	s.settle(39)
	return s
}

// settle is Settle for a lease of the present life.
func (s *stand) settle(n int64) {
	s.t.Helper()
	s.want("in range", s.Settle(s.now, pocket.Tokens{n}, num.FromInt64(s.born)), true)
}

// send lets time pass until a write is sent.
func (s *stand) send() *pocket.Write {
	s.t.Helper()
	for len(s.sent) == 0 {
		s.tick()
	}
	return s.sent[0]
}

// TestNet: what leases charge and refund before the next write is set off against each other, so that nothing is left of both.
func TestNet(t *testing.T) {
	t.Parallel()
	s := newOwing(t)
	s.settle(-16)
	w := s.send()
	s.want("charged", w.Charge[0], int64(23))
	s.want("refunded", w.Refund[0], int64(0))
	s.want("used", w.Used[0], int64(23))

	s = newOwing(t)
	s.settle(-49)
	w = s.send()
	s.want("charged", w.Charge[0], int64(0))
	s.want("refunded", w.Refund[0], int64(10))

	s = newOwing(t)
	s.settle(-39)
	s.want("rest", s.Rest(), true)
}

// TestNetWaitsAnew: after nothing was left, what comes then waits for others as long as any.
func TestNetWaitsAnew(t *testing.T) {
	t.Parallel()
	s := newOwing(t)
	s.send()
	s.settle(-39)
	s.take(s.Failed(s.now, s.message().w, true))
	s.want("rest", s.Rest(), true)
	s.now += sec
	s.settle(1)
	since := s.now
	s.send()
	s.want("waited", s.now-since, 100*ms)
}

// TestNetInRange: a lease that goes up and down between two writes is not out of range by the sum of its ups.
func TestNetInRange(t *testing.T) {
	t.Parallel()
	s := newOwing(t)
	for range 30 {
		s.settle(bucket.MaxDebt / 2)
		s.settle(-bucket.MaxDebt / 2)
	}
	s.want("charged", s.send().Charge[0], int64(39))
}

// TestNetAfterAReset: the next life of the record is not charged for what was refunded before it began.
func TestNetAfterAReset(t *testing.T) {
	t.Parallel()
	s := newOwing(t)
	s.send()
	s.settle(39)
	s.settle(-16)
	s.reset()
	s.answer(time.Millisecond) // the first 39 reach the next life, and show that it has begun
	s.want("charged", s.send().Charge[0], int64(23))
}

// TestNetWhenLost: a limiter that closes while the store is away loses what is left, and not both sides of it.
func TestNetWhenLost(t *testing.T) {
	t.Parallel()
	for refund, want := range map[int64]pocket.Lost{
		-16: {Refund: pocket.Tokens{0}, Used: pocket.Tokens{23}},
		-44: {Refund: pocket.Tokens{5}, Used: pocket.Tokens{0}},
	} {
		s := newOwing(t)
		s.send()
		s.settle(refund)
		s.take(s.Close(s.now))
		s.take(s.Failed(s.now, s.message().w, true))
		s.want("writes", len(s.sent), 0)
		s.want("rest", s.Rest(), true)
		lost, _ := s.TakeLost()
		s.want("lost", fmt.Sprint(lost), fmt.Sprint(want))
		_, more := s.TakeLost()
		s.want("more lost", more, false)
	}
}

// TestNetAfterACut: tokens that are cut off a pocket are set off against a charge that waits. In one write for a full bucket the
// charge would be made, and the refund be lost.
func TestNetAfterACut(t *testing.T) {
	t.Parallel()
	for _, more := range []int64{1, -1} {
		s := newWarmStand(t)
		held := s.Pockets()[0]
		s.settle(held + more)
		s.now += sec // nobody has asked: the pocket is cut, and the rest of it goes back
		w := s.send()
		s.want("charged", w.Charge[0], max(0, more))
		s.want("refunded", w.Refund[0], max(0, -more))
		s.want("left in the pocket", s.Pockets()[0], int64(0))
	}

	s := newWarmStand(t)
	handed := s.Handed()[0]
	s.settle(-handed) // now the block is zero
	s.settle(handed + s.Pockets()[0])
	s.want("verdict", s.ask(0).Verdict, pocket.Admitted) // its call cuts the pocket
	s.want("left", s.Assets(), int64(0))
	s.want("usage waits until the bucket is idle", s.Due()-s.now, 250*ms)
}

// TestOwedAfterAReset: a refund that fails after a reset is not tried in the next life of the record, whereas a charge of an earlier life
// is made.
func TestOwedAfterAReset(t *testing.T) {
	t.Parallel()
	s := newOwing(t)
	s.settle(-44)
	s.send()
	refund := s.message().w
	s.now += 100 * ms
	s.ask() // the refund is late, and holds up nobody
	s.reset()
	s.answer(time.Millisecond)
	s.take(s.Failed(s.now, refund, true))
	s.want("lost", s.Counts().Lost, int64(5))
	s.want("settled", s.Settle(s.now, pocket.Tokens{3}, num.FromInt64(1)), true)
	w := s.send()
	s.want("charged", w.Charge[0], int64(3))
	s.want("refunded", w.Refund[0], int64(0))
}

// TestRefundIsNoRange: a refund that waits makes no room for a charge beyond the range, because the next callers may be served from it.
func TestRefundIsNoRange(t *testing.T) {
	t.Parallel()
	s := newOwing(t)
	s.settle(-bucket.MaxDebt / 2)
	s.want("in range", s.Settle(s.now, pocket.Tokens{bucket.MaxDebt + bucket.MaxDebt/4}, num.FromInt64(1)), false)
}

// TestChargeFillsNoPocket: only refunds that wait serve the next callers.
func TestChargeFillsNoPocket(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]pocket.Verdict{50: pocket.Pending, -50: pocket.Admitted} {
		s := newWarmStand(t)
		s.want("verdict at first", s.ask(s.Pockets()[0]).Verdict, pocket.Admitted)
		s.settle(n)
		s.want("verdict", s.ask(5).Verdict, want)
	}
}
