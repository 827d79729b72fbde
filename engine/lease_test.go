package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestLeaseStatuses(t *testing.T) {
	w := newWorld(t)
	limits := []engine.Limit{engine.PerDay("b", 20), engine.PerDay("a", 10)}
	mustAcquire(t, w.Limiter, ask(3, limits...))
	lease := mustAcquire(t, w.Limiter, ask(2, limits...))
	must(t, lease.Adjust(engine.Tokens{"a": 1, "b": 5}))
	must(t, lease.Flush(t.Context()))
	equal(t, "as it was right after the acquire", lease.Statuses(), []engine.LimitStatus{
		{Entity: "user-1", Resource: "gpt-4", Limit: limits[1], Remaining: 5, Requested: 2, ResetAfter: 12 * time.Hour},
		{Entity: "user-1", Resource: "gpt-4", Limit: limits[0], Remaining: 20},
	})
}

// TestLeaseConsumedPending: adjustments count as soon as they are made.
func TestLeaseConsumedPending(t *testing.T) {
	w := newWorld(t)
	lease := mustAcquire(t, w.Limiter, ask(3, engine.PerDay("a", 10), engine.PerDay("b", 10)))
	equal(t, "at first", lease.Consumed(), engine.Tokens{"a": 3})
	must(t, lease.Adjust(engine.Tokens{"a": -3, "b": 4}))
	equal(t, "adjusted", lease.Consumed(), engine.Tokens{"a": 0, "b": 4})
	must(t, lease.Commit(t.Context()))
	equal(t, "committed", lease.Consumed(), engine.Tokens{"a": 0, "b": 4})
}

// TestLeaseOfManyTokens: a lease that has consumed more than it may be adjusted to can be adjusted downwards, and refunded.
func TestLeaseOfManyTokens(t *testing.T) {
	w, most := newWorld(t), int64(1e15)
	r := ask(most, engine.PerSecond("a", most))
	lease := mustAcquire(t, w.Limiter, r)
	for range 11 {
		w.pass(time.Second)
		must(t, lease.Consume(t.Context(), engine.Tokens{"a": most}))
	}
	wants(t, "one more", lease.Adjust(engine.Tokens{"a": 1}), engine.ErrOutOfRange)
	must(t, lease.Adjust(engine.Tokens{"a": -most}))
	must(t, lease.Release(t.Context(), engine.Tokens{"a": most}))
	equal(t, "consumed", lease.Consumed(), engine.Tokens{"a": 10 * most})
}

// TestLeaseOfLaterLimits: limits that are stored for the entity after an acquire, which charged its parent only, are the
// lease's from the first Consume on. It asked for none of them.
func TestLeaseOfLaterLimits(t *testing.T) {
	w, limit := newWorld(t), engine.PerSecond("a", 10)
	must(t, w.CreateEntity(t.Context(), engine.Entity{ID: "team"}, nil))
	must(t, w.CreateEntity(t.Context(), engine.Entity{ID: "user-1", Parent: "team", Cascade: true}, anyParent))
	must(t, w.SetLimits(t.Context(), "team", "gpt-4", []engine.Limit{limit}))
	lease := mustAcquire(t, w.Limiter, ask(1))
	must(t, w.SetLimits(t.Context(), "user-1", "gpt-4", []engine.Limit{limit}))
	w.pass(time.Minute)
	must(t, lease.Consume(t.Context(), engine.Tokens{"a": 3}))
	equal(t, "consumed", lease.Consumed(), engine.Tokens{"a": 3})
	equal(t, "statuses", lease.Statuses(), []engine.LimitStatus{
		{Entity: "team", Resource: "gpt-4", Limit: limit, Remaining: 9, Requested: 1, ResetAfter: 100 * time.Millisecond},
		{Entity: "user-1", Resource: "gpt-4", Limit: limit, Remaining: 7, ResetAfter: 300 * time.Millisecond},
	})
	must(t, lease.Rollback(t.Context()))
	equal(t, "rolled back", lease.Consumed(), engine.Tokens{})
}

// TestLeaseErrorsSayWhatToDo looks at the texts.
func TestLeaseErrorsSayWhatToDo(t *testing.T) {
	w := newWorld(t)
	lease := mustAcquire(t, w.Limiter, ask(3, engine.PerDay("a", 10), engine.PerDay("b", 10)))
	all := ask(10, engine.PerDay("a", 10))
	all.Entity = "spender"
	spent := mustAcquire(t, w.Limiter, all)
	for want, err := range map[string]error{
		"unknown limit: c; configured for user-1 on gpt-4: a, b":             lease.Adjust(engine.Tokens{"c": 1}),
		"Adjust[a] -4: must not refund more than the 3 that the lease holds": lease.Adjust(engine.Tokens{"a": -4}),
		"Release[a] 4: must not refund more than the 3 that the lease holds": lease.Release(t.Context(), engine.Tokens{"a": 4}),
		"must be 0 to 10^16 tokens":                                          lease.Release(t.Context(), engine.Tokens{"a": -1}),
		"10^16 tokens of debt":                                               lease.Adjust(engine.Tokens{"a": 1 << 60}),
		"1 requested, 0 available of 10, retry":                              spent.Consume(t.Context(), engine.Tokens{"a": 1}),
		"11 requested, 0 available of 10, can n":                             spent.Consume(t.Context(), engine.Tokens{"a": 11}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "engine: ") {
			t.Errorf("%v says nothing of %q", err, want)
		}
	}
}

// TestLeaseCancelled: a lease is settled also if the context has ended; only Consume, which takes more, heeds it.
func TestLeaseCancelled(t *testing.T) {
	w, limit := newWorld(t), engine.PerDay("a", 10)
	l := w.troubled()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	lease := mustAcquire(t, l, ask(3, limit))
	must(t, lease.Adjust(engine.Tokens{"a": 2}))
	wants(t, "Consume", lease.Consume(done, engine.Tokens{"a": 1}), context.Canceled)
	must(t, lease.Flush(done))
	must(t, lease.Adjust(engine.Tokens{"a": 1}))
	must(t, lease.Commit(done))
	second := mustAcquire(t, l, ask(3, limit))
	must(t, second.Rollback(done))
	st, err := l.Available(t.Context(), "user-1", "gpt-4", limit)
	must(t, err)
	equal(t, "left", st[0].Remaining, 4)
}

// TestLeaseRaisesExpiry: a record whose debt lasts for longer than its limits would is kept until it is paid, and a debt
// of more than ten years for ever.
func TestLeaseRaisesExpiry(t *testing.T) {
	w, limit := newWorld(t), engine.PerMinute("a", 10)
	lease := mustAcquire(t, w.Limiter, ask(1, limit))
	must(t, lease.Adjust(engine.Tokens{"a": 10 * 60 * 24 * 40})) // 40 days
	must(t, lease.Flush(t.Context()))
	w.pass(39 * 24 * time.Hour)
	_, err := w.store.Sweep(t.Context(), w.now().Unix())
	must(t, err)
	mustDeny(t, w.limiter(w.store, nil), ask(1, limit))
	must(t, lease.Adjust(engine.Tokens{"a": 10 * 60 * 24 * 365 * 20}))
	must(t, lease.Commit(t.Context()))
	w.pass(19 * 365 * 24 * time.Hour)
	_, err = w.store.Sweep(t.Context(), w.now().Unix())
	must(t, err)
	mustDeny(t, w.limiter(w.store, nil), ask(1, limit))
}

// TestRecordExpires: an idle bucket's record is kept until it is full for certain, and goes then.
func TestRecordExpires(t *testing.T) {
	w, limit := newWorld(t), engine.PerHour("a", 10)
	mustAcquire(t, w.Limiter, ask(10, limit))
	w.pass(30 * time.Minute)
	other := w.limiter(w.store, nil)
	mustDeny(t, other, ask(6, limit)) // a denial keeps nothing alive
	w.pass(30 * time.Minute)
	n, err := w.store.Sweep(t.Context(), w.now().Unix())
	must(t, err)
	equal(t, "dropped when it is full", n, 0)
	w.pass(24*time.Hour + time.Second)
	n, err = w.store.Sweep(t.Context(), w.now().Unix())
	must(t, err)
	equal(t, "dropped a day later", n, 1)
	mustAcquire(t, w.Limiter, ask(10, limit))
	mustDeny(t, w.Limiter, ask(1, limit))
}
