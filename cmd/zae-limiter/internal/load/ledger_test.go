package load

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine"
)

const epoch = int64(1_800_000_000) * int64(time.Second)

func accountOf(l engine.Limit) *account {
	return &newBucketLedger(engine.BucketName{}, []engine.Limit{l}, 0).accounts[0]
}

func never() int64 { return 0 }

// TestAccount checks a limit of 10 that refills one per second, by hand.
func TestAccount(t *testing.T) {
	type call struct{ start, end, n int64 } // ms; a negative n is a refund
	for _, c := range []struct {
		name   string
		calls  []call
		broken bool
	}{
		{"full at once", []call{{0, 0, 10}}, false},
		{"one too many", []call{{0, 0, 10}, {0, 0, 1}}, true},
		{"what refills", []call{{0, 0, 10}, {1000, 1000, 1}, {2500, 2500, 1}}, false},
		{"a ms before it refills", []call{{0, 0, 10}, {999, 999, 1}}, true},
		{"late, after a rest", []call{{0, 0, 5}, {60_000, 60_000, 10}, {60_000, 60_000, 1}}, true},
		{"a rest is worth no more than the capacity", []call{{0, 0, 10}, {60_000, 60_000, 10}}, false},
		{"it may have been admitted at the end of its call", []call{{0, 1, 10}, {2, 1002, 1}}, false},
		{"and another one at the begin of its own", []call{{2, 2, 1}, {0, 1002, 10}}, false},
		{"but both lie within the calls", []call{{0, 1, 10}, {2, 999, 1}}, true},
		{"refunded", []call{{0, 0, 10}, {5, 5, -10}, {6, 6, 10}}, false},
		{"refunded, and one more", []call{{0, 0, 10}, {5, 5, -10}, {6, 6, 11}}, true},
		{"refunded before, of no help after", []call{{0, 0, 10}, {5, 5, -10}, {6, 6, 10}, {7, 7, 1}}, true},
	} {
		a := accountOf(engine.PerSecond("n", 1).WithBurst(10))
		for _, x := range c.calls {
			if x.n < 0 {
				a.beginRefund(-x.n)
				a.endRefund(-x.n)
				continue
			}
			a.admit(epoch+x.start*1e6, epoch+x.end*1e6, x.n, never)
		}
		if a.broken != c.broken || a.broken != (a.share() > 1) {
			t.Errorf("%s: broken %v, share %v", c.name, a.broken, a.share())
		}
	}
}

// TestRefundInProgress checks that a refund in progress counts in every interval in which it can take place: the bucket of a lease
// that was held for long is full again before the refund.
func TestRefundInProgress(t *testing.T) {
	for _, late := range []bool{true, false} {
		a := accountOf(engine.PerSecond("n", 1).WithBurst(10))
		a.admit(epoch, epoch, 10, never)
		at := epoch + int64(20*time.Second)
		a.beginRefund(10)
		if !late {
			a.endRefund(10)
		}
		a.admit(at, at, 10, never)
		a.admit(at+1, at+1, 10, never)
		if a.broken == late {
			t.Errorf("under way while 20 were admitted: %v; broken: %v", late, a.broken)
		}
	}
}

// event is an admission, or the start or end of a refund, in the order in which the ledger records them.
type event struct {
	start, end int64 // of an admission
	n          int64 // tokens; negative for the start of a refund, which ends at index until
	until      int
}

// worst returns the largest admitted − refunded − rate·T over every interval, in rational numbers.
func worst(l engine.Limit, events []event) *big.Rat {
	most := new(big.Rat)
	for i := range events {
		if events[i].n <= 0 {
			continue
		}
		sum, begin := int64(0), events[i].start
		for _, g := range events[:i] { // refunds in progress when the interval starts
			if g.n < 0 && g.until > i {
				sum += g.n
			}
		}
		for j := i; j < len(events); j++ {
			if sum += events[j].n; events[j].n <= 0 {
				continue
			}
			begin = min(begin, events[j].start)
			refilled := new(big.Rat).SetFrac(
				new(big.Int).Mul(big.NewInt(events[j].end-begin), big.NewInt(l.RefillAmount)), big.NewInt(int64(l.RefillPeriod)))
			if load := new(big.Rat).Sub(new(big.Rat).SetInt64(sum), refilled); load.Cmp(most) > 0 {
				most = load
			}
		}
	}
	return most
}

// TestAccountIsExact compares the running maximum with the maximum over all intervals.
func TestAccountIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := engine.Limit{
			Name: "n", Capacity: rapid.Int64Range(1, 30).Draw(t, "capacity"),
			RefillAmount: rapid.Int64Range(1, 9).Draw(t, "amount"), RefillPeriod: time.Duration(rapid.Int64Range(1, 9).Draw(t, "period")) * time.Millisecond,
		}
		events := drawEvents(t)
		a := accountOf(l)
		for i, e := range events {
			for _, g := range events[:i] {
				if g.n < 0 && g.until == i {
					a.endRefund(-g.n)
				}
			}
			if e.n < 0 {
				a.beginRefund(-e.n)
				continue
			}
			a.admit(e.start, e.end, e.n, func() int64 { return oldestAfter(events[i+1:]) })
			if i%3 == 0 {
				a.compact(oldestAfter(events[i+1:]))
			}
		}
		want := worst(l, events)
		got := new(big.Rat).SetFrac(a.largest.Big(), a.rate.Cost(1).Big())
		if got.Cmp(want) != 0 {
			t.Fatalf("the worst interval has %v, not %v: %+v", got, want, events)
		}
		if broken := want.Cmp(new(big.Rat).SetInt64(l.Capacity)) > 0; broken != a.broken {
			t.Fatalf("broken %v, not %v", a.broken, broken)
		}
	})
}

// oldestAfter returns the earliest start of later events.
func oldestAfter(events []event) int64 {
	oldest := epoch * 2
	for _, e := range events {
		if e.n > 0 {
			oldest = min(oldest, e.start)
		}
	}
	return oldest
}

func drawEvents(t *rapid.T) []event {
	n := rapid.IntRange(1, 25).Draw(t, "events")
	events, now := make([]event, n), epoch
	for i := range events {
		e := &events[i]
		now += rapid.Int64Range(0, 3).Draw(t, "later") * 1_000_000
		if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
			e.n, e.until = -rapid.Int64Range(1, 9).Draw(t, "back"), rapid.IntRange(i+1, n+1).Draw(t, "until")
			continue
		}
		e.n, e.end = rapid.Int64Range(0, 9).Draw(t, "tokens"), now
		e.start = now - rapid.Int64Range(0, 8).Draw(t, "took")*1_000_000
	}
	return events
}

// TestAccountStaysSmall checks that starts that no longer matter are merged.
func TestAccountStaysSmall(t *testing.T) {
	a := accountOf(engine.PerSecond("n", 1000))
	for i := range int64(100_000) {
		at := epoch + i*int64(time.Millisecond)
		a.admit(at, at, 1, func() int64 { return at - int64(20*time.Millisecond) })
	}
	if len(a.starts) > 2*compactEvery || a.broken {
		t.Errorf("%d begins are kept; broken: %v", len(a.starts), a.broken)
	}
	if !slices.IsSortedFunc(a.starts, func(x, y intervalStart) int { return int(x.at - y.at) }) {
		t.Error("begins are not in order")
	}
}
