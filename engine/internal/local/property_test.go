package local_test

import (
	"math/big"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
)

// epoch is where the clocks begin.
const epoch = 2_000_000_000 * int64(time.Second)

// fleet is some processes with one bucket each, all of the same limit, and what they did.
type fleet struct {
	limit    bucket.Limit
	set      *limitset.Set
	share    local.Share
	fraction *big.Rat
	all      []*local.Buckets
	now      int64
	did      []step
	held     []int64 // by process: admitted and adjusted, and not refunded
	written  []int64 // by process: usage that was written back
	charged  []int64 // by process: what the store's bucket was charged
}

// step is an admission, or a refund: tokens are below zero then.
type step struct{ at, tokens int64 }

var id = local.ID{Entity: "user", Resource: "api"}

// TestBound proves the bound of doc.go: whatever processes do, in any interval they admit no more without the store, net of refunds.
// And what is written back is what was consumed, no more than that is charged, and never a refund of what was not charged.
func TestBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(t)
		t.Repeat(map[string]func(*rapid.T){
			"take":   f.take,
			"storm":  f.storm,
			"settle": f.settle,
			"write":  f.write,
			"pass": func(t *rapid.T) {
				f.now += rapid.Int64Range(0, 3*int64(f.limit.RefillPeriod)).Draw(t, "ns")
			},
		})
		f.check(t)
	})
}

func newFleet(t *rapid.T) *fleet {
	n := rapid.IntRange(1, 4).Draw(t, "processes")
	fraction := rapid.SampledFrom([]string{"0.1", "0.3", "0.5", "1", "0.001", "0.333333333", "0.142857142"}).Draw(t, "share")
	f := &fleet{now: epoch, held: make([]int64, n), written: make([]int64, n), charged: make([]int64, n)}
	f.fraction, _ = new(big.Rat).SetString(fraction)
	number, _ := strconv.ParseFloat(fraction, 64)
	f.share, _ = local.ShareOf(number)
	f.limit = bucket.Limit{
		Name: "a", Capacity: rapid.Int64Range(1, 50).Draw(t, "capacity"), RefillAmount: rapid.Int64Range(1, 50).Draw(t, "refill"),
		RefillPeriod: time.Duration(rapid.Int64Range(1_000_000, 7_000_000).Draw(t, "period")),
	}
	f.set = limitset.Of([]bucket.Limit{f.limit}, false)
	for range n {
		f.all = append(f.all, local.New(f.share, 10))
	}
	return f
}

func (f *fleet) process(t *rapid.T) int { return rapid.IntRange(0, len(f.all)-1).Draw(t, "process") }

func (f *fleet) takeOnce(i int, n int64) local.Verdict {
	b := f.all[i]
	var tats limitset.Arrivals
	v, _ := b.Take(f.now, []local.Charge{{ID: id, Configured: f.set, Limits: b.Limits(f.set), Need: []int64{n}, Tats: &tats}}, true)
	if v == local.Admitted {
		f.held[i] += n
		f.did = append(f.did, step{f.now, n})
	}
	return v
}

func (f *fleet) take(t *rapid.T) { f.takeOnce(f.process(t), rapid.Int64Range(0, 5).Draw(t, "tokens")) }

// storm takes as much as there is, in all processes.
func (f *fleet) storm(*rapid.T) {
	for i := range f.all {
		for f.takeOnce(i, 1) == local.Admitted {
		}
	}
}

// settle adjusts upwards, or refunds some of what is held.
func (f *fleet) settle(t *rapid.T) {
	i := f.process(t)
	n := rapid.Int64Range(-f.held[i], 5).Draw(t, "delta")
	if beyond, _ := f.all[i].Settle(f.now, id, f.set, f.all[i].Limits(f.set), map[string]int64{"a": n}); beyond != "" {
		t.Fatalf("%d tokens are beyond the range of debt", n)
	}
	f.held[i] += n
	if n < 0 {
		f.did = append(f.did, step{f.now, n})
	}
}

// write makes one write-back of a process, or fails to.
func (f *fleet) write(t *rapid.T) {
	i := f.process(t)
	o := f.all[i].Next(f.now)
	if o == nil {
		return
	}
	switch rapid.IntRange(0, 3).Draw(t, "outcome") {
	case 0:
		f.all[i].Again(f.now, o)
		return
	case 1:
		f.all[i].Undo(f.now, o)
		return
	}
	for j := range o.Items {
		item := &o.Items[j]
		if item.Due > max(0, item.Used) || item.Due < min(0, item.Used) || item.Held > f.charged[i] {
			t.Fatalf("owed: %+v, with %d charged", item, f.charged[i])
		}
		f.written[i] += item.Used
		f.charged[i] += item.Due
		item.Held += item.Due
	}
	if f.charged[i] < 0 {
		t.Fatalf("the store was refunded %d tokens that it was not charged", -f.charged[i])
	}
	f.all[i].Done(f.now, o)
}

// check compares all intervals with the bound, in exact arithmetic, and what is written back with what was consumed.
func (f *fleet) check(t *rapid.T) {
	burst := new(big.Int).Div(new(big.Int).Mul(big.NewInt(f.limit.Capacity), f.fraction.Num()), f.fraction.Denom()).Int64()
	n := int64(len(f.all))
	rate := new(big.Rat).Mul(f.fraction, big.NewRat(f.limit.RefillAmount*n, int64(f.limit.RefillPeriod)))
	for i := range f.did {
		var sum int64
		for j := i; j < len(f.did); j++ {
			sum += f.did[j].tokens
			most := new(big.Rat).Mul(rate, big.NewRat(f.did[j].at-f.did[i].at, 1))
			most.Add(most, big.NewRat(n*max(1, burst), 1))
			if big.NewRat(sum, 1).Cmp(most) > 0 {
				t.Fatalf("%d tokens in %d ns, of at most %s: %+v", sum, f.did[j].at-f.did[i].at, most.FloatString(3), f.did[i:j+1])
			}
		}
	}
	for i, b := range f.all {
		for o := b.Next(f.now); o != nil; o = b.Next(f.now) {
			for _, item := range o.Items {
				f.written[i] += item.Used
			}
			b.Done(f.now, o)
		}
		if f.written[i] != f.held[i] {
			t.Fatalf("process %d has consumed %d tokens, and written back %d", i, f.held[i], f.written[i])
		}
	}
}
