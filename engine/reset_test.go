package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestReset(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	limits := []engine.Limit{engine.PerMinute("rpm", 10), engine.PerDay("tpd", 100)}
	request := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 10, "tpd": 40}, Limits: limits}
	must(t, w.ResetBucket(ctx, "e", "r"))
	equal(t, "nothing to reset", w.dump(true), map[string]string{})

	l := w.troubled() // it writes nonces
	lease, err := l.Acquire(ctx, request)
	must(t, err)
	d, err := l.Allow(ctx, request)
	must(t, err)
	equal(t, "before", d.Allowed, false)
	before := w.bucket("e", "r")
	if part(before, "n") == "" || part(before, "t0") == "" {
		t.Fatal(before)
	}
	w.pass(time.Millisecond)
	must(t, l.ResetBucket(ctx, "e", "r"))
	after := w.bucket("e", "r")
	for _, kept := range []string{"expires", "l", "q", "p", "u0", "u1"} {
		if part(before, kept) != part(after, kept) {
			t.Errorf("%s was %s and is %s", kept, part(before, kept), part(after, kept))
		}
	}
	for _, unset := range []string{"t0", "t1", "n", "m"} {
		equal(t, unset, part(after, unset), "")
	}
	for _, changed := range []string{"v", "b", "a"} {
		if part(before, changed) == part(after, changed) {
			t.Errorf("%s is as before: %s", changed, part(after, changed))
		}
	}
	s, err := w.Available(ctx, "e", "r", limits...)
	must(t, err)
	equal(t, "full", fmt.Sprint(s[0].Remaining, s[1].Remaining), "10 100")
	d, err = l.Allow(ctx, request)
	must(t, err)
	equal(t, "after", d.Allowed, true)

	must(t, lease.Rollback(ctx)) // refunds nothing, as its charge was before the reset
	s, err = w.Available(ctx, "e", "r", limits...)
	must(t, err)
	equal(t, "after the rollback", fmt.Sprint(s[0].Remaining, s[1].Remaining), "0 60")
	equal(t, "audit", w.told(9), []string{`bucket_reset e r {"limits":[` +
		`{"name":"rpm","capacity":10,"refill_amount":10,"refill_period_seconds":60,"available":0,"used":10},` +
		`{"name":"tpd","capacity":100,"refill_amount":100,"refill_period_seconds":86400,"available":60,"used":40}]} -`})
	wants(t, "bad entity", w.ResetBucket(ctx, "", "r"), invalid("Entity"))
	wants(t, "bad resource", w.ResetBucket(ctx, "e", ""), invalid("Resource"))
}

// part is one field of a record's text.
func part(record, name string) string {
	_, rest, _ := strings.Cut(" "+strings.Replace(record, "expires ", "expires=", 1), " "+name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// Concurrent resets and acquires: each reset has one event, and the counters of used tokens stay.
func TestResetRace(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	var all sync.WaitGroup
	w.use("e", "r")
	for range 4 {
		all.Go(func() {
			for range 25 {
				if _, err := w.Allow(ctx, engine.Request{
					Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{engine.PerMinute("rpm", 1000)},
				}); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 5 {
				if err := w.ResetBucket(ctx, "e", "r"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	equal(t, "used", part(w.bucket("e", "r"), "u0"), "101")
	equal(t, "acquires", part(w.bucket("e", "r"), "q"), "101")
	equal(t, "events", len(w.told(100)), 20)
}
