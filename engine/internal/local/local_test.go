package local_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
)

// TestShareOf: nine decimals count, and what is not a share is refused.
func TestShareOf(t *testing.T) {
	for fraction, want := range map[float64]local.Share{
		1: local.Whole, .5: 500_000_000, .3: 300_000_000, .1: 100_000_000, .7: 700_000_000, 1. / 3: 333_333_333, 2. / 3: 666_666_666,
		1. / 7: 142_857_142, 1e-9: 1, .999999999: 999_999_999, .9999999999: 999_999_999,
		0: 0, -.1: 0, 1.1: 0, 1e-10: 0, math.NaN(): 0, math.Inf(1): 0,
	} {
		got, valid := local.ShareOf(fraction)
		if got != want || valid != (want > 0) {
			t.Errorf("ShareOf(%v) is %d, %v; not %d", fraction, got, valid, want)
		}
	}
}

// TestLimits: a local bucket has the share of capacity and rate, rounded down, and at least one token.
func TestLimits(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		share            float64
		limit            string
		capacity, refill int64
		period           time.Duration
		want             string
	}{
		{.1, "a common one", 100, 100, time.Minute, "10 tokens, 100 per 10m0s"},
		{1, "all of it", 100, 7, time.Minute, "100 tokens, 7 per 1m0s"},
		{.3, "a burst", 15, 10, time.Second, "4 tokens, 10 per 3.333333334s"},
		{.1, "less than one token", 1, 1, day, "1 tokens, 1 per 240h0m0s"},
		{1e-9, "the longest period", 1_000_000_000_000, 1_000_000_000_000, bucket.MaxPeriod, "1000 tokens, 1000 per 87600h0m0s"},
		{1e-9, "below the slowest rate", 5, 5, bucket.MaxPeriod, "1 tokens, 1 per 87600h0m0s"},
		{.5, "the largest", bucket.MaxAmount, bucket.MaxAmount, time.Millisecond, "500000000000000 tokens, 1000000000000000 per 2ms"},
	} {
		share, _ := local.ShareOf(c.share)
		set := share.Of(limitset.Of([]bucket.Limit{{Name: "a", Capacity: c.capacity, RefillAmount: c.refill, RefillPeriod: c.period}}, true))
		got := set.Terms[0]
		if text := fmt.Sprintf("%d tokens, %d per %v", got.Capacity, got.RefillAmount, got.RefillPeriod); text != c.want || !got.Brought || got.Check() != nil {
			t.Errorf("%s: %s, not %s (%v)", c.limit, text, c.want, got.Check())
		}
	}
}

// desk is a process's buckets, with a clock.
type desk struct {
	*testing.T
	*local.Buckets
	now int64
}

func newDesk(t *testing.T, share float64, most int) *desk {
	s, _ := local.ShareOf(share)
	return &desk{t, local.New(s, most), epoch}
}

// perMinute are limits by name, of so many tokens a minute.
func perMinute(limits map[string]int64) *limitset.Set {
	var all []bucket.Limit
	for name, n := range limits {
		all = append(all, bucket.Limit{Name: name, Capacity: n, RefillAmount: n, RefillPeriod: time.Minute})
	}
	return limitset.Of(all, false)
}

// take takes n tokens of the first limit of the buckets named.
func (d *desk) take(set *limitset.Set, n int64, entities ...string) local.Verdict {
	var path []local.Charge
	for _, entity := range entities {
		own := d.Limits(set)
		need := make([]int64, len(own.Terms))
		need[0] = n
		path = append(path, local.Charge{ID: local.ID{Entity: entity}, Configured: set, Limits: own, Need: need, Tats: new(limitset.Arrivals)})
	}
	v, _ := d.Take(d.now, path, true)
	return v
}

func (d *desk) settle(set *limitset.Set, n int64, entity string) {
	d.Helper()
	if beyond, _ := d.Settle(d.now, local.ID{Entity: entity}, set, d.Limits(set), map[string]int64{set.Terms[0].Name: n}); beyond != "" {
		d.Fatalf("%d tokens are beyond the range of debt", n)
	}
}

// write makes the next write-back, and describes it.
func (d *desk) write() string {
	o := d.Next(d.now)
	if o == nil {
		return "nothing"
	}
	text := fmt.Sprintf("%s in %d:", o.Entity, o.Acquired)
	for i := range o.Items {
		item := &o.Items[i]
		text += fmt.Sprintf(" %s %+d, charged %+d", item.Name, item.Used, item.Due)
		item.Held += item.Due
	}
	o.Born = backend.Int(1)
	d.Done(d.now, o)
	return text
}

func (d *desk) want(what, got, want string) {
	d.Helper()
	if got != want {
		d.Errorf("%s: %s, not %s", what, got, want)
	}
}

func (d *desk) pass(t time.Duration) { d.now += int64(t) }

// TestPresentDeficit: usage is written back in full, and the store's bucket is charged what the local one lacks at that time, also
// if an earlier try has failed.
func TestPresentDeficit(t *testing.T) {
	d, set := newDesk(t, .1, 10), perMinute(map[string]int64{"a": 600}) // 60 tokens, one a second
	for range 60 {
		d.take(set, 1, "u")
	}
	for range 3600 { // an hour at the local rate
		if d.take(set, 1, "u") != local.Denied {
			t.Fatal("more than the share is admitted")
		}
		d.pass(time.Second)
		d.take(set, 1, "u")
		if o := d.Next(d.now); o != nil {
			d.Undo(d.now, o)
		}
	}
	d.pass(20*time.Second + 1)
	d.want("after an hour", d.write(), "u in 3660: a +3660, charged +40")
	d.take(set, 5, "u")
	d.want("a little later", d.write(), "u in 1: a +5, charged +5")
	d.want("then", d.write(), "nothing")
}

// TestRefunds: what was written back is refunded to the store, up to what it was charged.
func TestRefunds(t *testing.T) {
	d, set := newDesk(t, .1, 10), perMinute(map[string]int64{"a": 600})
	d.take(set, 30, "u")
	d.settle(set, -10, "u")
	d.want("a refund of what is not written back", d.write(), "u in 1: a +20, charged +20")
	d.settle(set, -5, "u")
	d.want("of what is", d.write(), "u in 0: a -5, charged -5")
	d.settle(set, 7, "u")
	d.want("an adjustment", d.write(), "u in 0: a +7, charged +7")
	d.settle(set, 100, "u")
	if d.take(set, 0, "u") != local.Denied {
		t.Error("debt denies nothing")
	}
	d.pass(time.Hour)
	d.want("debt that has refilled", d.write(), "u in 0: a +100, charged +0")
	d.settle(set, -50, "u")
	d.want("more than was charged", d.write(), "u in 0: a -50, charged +0")
}

// TestUndoneRefund: while a refund is under way, the bucket is judged by other limits, and then by the first ones again. If the refund
// was not made, it is made later.
func TestUndoneRefund(t *testing.T) {
	d, set, other := newDesk(t, 1, 10), perMinute(map[string]int64{"a": 600}), perMinute(map[string]int64{"b": 600})
	d.take(set, 3, "u")
	d.want("a charge", d.write(), "u in 1: a +3, charged +3")
	d.settle(set, -3, "u")
	o := d.Next(d.now)
	d.take(other, 1, "u")
	d.take(set, 1, "u")
	d.Undo(d.now, o)
	d.want("the refund, with what came later", d.write(), "u in 2: a -2, charged -2 b +1, charged +1")
}

// TestLife: what was charged to a life of the record that is over is not refunded to another one.
func TestLife(t *testing.T) {
	d, set := newDesk(t, 1, 10), perMinute(map[string]int64{"a": 600, "b": 600})
	d.take(set, 30, "u")
	d.write()
	d.Settle(d.now, local.ID{Entity: "u"}, set, set, map[string]int64{"b": 1})
	o := d.Next(d.now)
	o.Born, o.Items[0].Held = backend.Int(2), 1
	d.Done(d.now, o)
	d.settle(set, -30, "u")
	d.want("after a reset", d.write(), "u in 0: a -30, charged +0")
}

// TestPath: a path is charged all or nothing, and a parent's bucket serves all its children.
func TestPath(t *testing.T) {
	d, set := newDesk(t, .1, 10), perMinute(map[string]int64{"a": 100}) // 10 tokens
	if d.take(set, 6, "child-1", "parent") != local.Admitted || d.take(set, 6, "child-2", "parent") != local.Denied {
		t.Error("two children took more than the parent has")
	}
	for range 10 { // at first use too
		d.take(set, 10, "child-3", "parent-3")
	}
	if d.take(set, 1, "child-3") != local.Denied || d.take(set, 1, "parent-3") != local.Denied {
		t.Error("a path at first use has lost a bucket")
	}
	if d.take(set, 10, "child-2") != local.Admitted {
		t.Error("a denial by the parent has charged the child")
	}
}

// TestRoom: buckets that owe nothing and are full make room; others are kept, and nobody gets a bucket beyond the bound.
func TestRoom(t *testing.T) {
	d, set := newDesk(t, .1, 3), perMinute(map[string]int64{"a": 100})
	for i := range 3 {
		if d.take(set, 1, fmt.Sprint(i)) != local.Admitted {
			t.Fatal("no room for three")
		}
	}
	if d.take(set, 1, "x") != local.Full || d.take(set, 1, "0", "x") != local.Full || d.take(set, 1, "0") != local.Admitted {
		t.Error("room for four, or none for the first")
	}
	d.pass(time.Hour)
	if d.take(set, 1, "x") != local.Full {
		t.Error("usage that is not written back has made room")
	}
	for range 3 {
		d.write()
	}
	if d.take(set, 1, "x") != local.Admitted {
		t.Error("no room after all was written back")
	}
}

// TestLimitsChange: deficits are converted, limits that others bring share nothing, and a bucket has a bounded number of them.
func TestLimitsChange(t *testing.T) {
	d := newDesk(t, 1, 10)
	small, large, other := perMinute(map[string]int64{"a": 60}), perMinute(map[string]int64{"a": 600}), perMinute(map[string]int64{"b": 60})
	d.take(small, 60, "u")
	for range 10 { // callers that disagree share the tokens
		if v := d.take(large, 300, "u"); v == local.Admitted {
			d.settle(large, -300, "u")
		} else {
			t.Error("a larger limit does not admit more")
		}
		if d.take(small, 1, "u") != local.Denied {
			t.Error("converting back and forth creates tokens")
		}
		d.pass(-time.Second) // nor does it if the clock is set back and forth
		d.take(large, 0, "u")
		d.pass(time.Second)
	}
	if d.take(other, 60, "u") != local.Admitted || d.take(small, 1, "u") != local.Denied {
		t.Error("another limit is not a bucket of its own, or loses the first one")
	}
	for i := range 100 {
		v := d.take(perMinute(map[string]int64{fmt.Sprint("c", i): 60}), 1, "u")
		if i == 99 && v != local.Full {
			t.Errorf("a hundred limits in one bucket: %v", v)
		}
	}
}

// TestClockSetBack: a clock that is set back admits no more.
func TestClockSetBack(t *testing.T) {
	d, set := newDesk(t, .1, 10), perMinute(map[string]int64{"a": 100})
	d.take(set, 10, "u")
	d.pass(-time.Hour)
	if d.take(set, 1, "u") != local.Denied {
		t.Error("a clock that was set back admits more")
	}
	d.want("what is owed then", d.write(), "u in 1: a +10, charged +10")
}
