package engine_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// followUnusable: while the index cannot be queried, records are read again after ConfigTTL. The log says so once.
func followUnusable(r *story) {
	r.virtually(func(r *story) {
		var log bytes.Buffer
		other := r.limiter()
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10)}))
		l := r.limiter(func(o *engine.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		r.faults.SetPlan(func(c limitertest.Call) limitertest.Act {
			if c.Op == limitertest.OpList {
				return limitertest.Fail
			}
			return limitertest.Pass
		})
		r.wantCapacity("first use", l, 10)
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 4)}))
		lists := r.faults.Calls(limitertest.OpList)
		for range 45 {
			r.second(l)
		}
		r.wantCapacity("45 s later", l, 10)
		for range 16 {
			r.second(l)
		}
		r.wantCapacity("61 s later", l, 4)
		// Looks are tried again after 2, 4, 8 and then each 12 seconds, four times each, as is usual after trouble.
		if n := r.faults.Calls(limitertest.OpList) - lists; n > 4*10 {
			r.Errorf("%d lists in a minute of an index that fails", n)
		}
		r.faults.SetPlan(nil)
		for range 13 {
			r.second(l)
		}
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 5)}))
		r.second(l)
		r.wantCapacity("a second after a change, when the index is back", l, 5)
		if n := strings.Count(log.String(), "looking for changes of the configuration fails"); n != 1 {
			r.Errorf("said %d times: %s", n, log.String())
		}
	})
}

// followClocks: others' clocks are half a minute ahead and behind. No change is missed, and audit events come in the order of
// the changes.
func followClocks(r *story) {
	r.virtually(func(r *story) {
		l := r.limiter()
		clocks := []*settable{newClock(0), newClock(30 * time.Second), newClock(-30 * time.Second)}
		others := make([]*engine.Limiter, len(clocks))
		for i, c := range clocks {
			others[i] = r.limiter(by(c))
		}
		const changes = 30
		for n := range int64(changes) {
			r.must(others[n%3].SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10+n)}))
			for _, c := range clocks {
				c.advance(1100 * time.Millisecond)
			}
			r.clock.advance(100 * time.Millisecond)
			r.second(l)
			r.wantCapacity(fmt.Sprint("change ", n), l, 10+n)
		}
		page, err := l.AuditEvents(r.Context(), engine.AuditQuery{To: r.clock.Now(), Page: engine.Page{Size: 100}})
		r.must(err)
		for i, e := range page.Items {
			want := fmt.Sprintf(`"capacity":%d`, 10+changes-1-i)
			if late := i < 1+len(page.Items)-changes; !late && !strings.Contains(string(e.After), want) && len(page.Items) == changes {
				r.Errorf("event %d: %s, not %s", i, e.After, want)
			}
			if !e.Time.Before(r.clock.Now()) {
				r.Errorf("event %d is of %v", i, e.Time)
			}
		}
		if len(page.Items) < changes*2/3 { // those of the clock that is ahead are later than To
			r.Errorf("%d events", len(page.Items))
		}
	})
}

// followFarAhead: an event of a clock that is two minutes ahead is reported, and drops everything once.
func followFarAhead(r *story) {
	r.virtually(func(r *story) {
		var events events
		l, wrong := r.limiter(func(o *engine.Options) { o.Observer = &events }), r.limiter(by(newClock(2*time.Minute)))
		r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10)}))
		r.wantCapacity("before", l, 10)
		r.must(wrong.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 4)}))
		r.second(l)
		r.wantCapacity("a second later", l, 4)
		r.second(l)
		if ahead := events.of(engine.EventClockAhead); len(ahead) != 1 || ahead[0].Ahead < 115*time.Second {
			r.Errorf("told of %+v", ahead)
		}
	})
}

// followFlood: the list of events gets thousands of entries a second, of this library and of somebody else. Looks list a
// bounded number of keys, and changes are seen all the same.
func followFlood(r *story) {
	r.virtually(func(r *story) {
		l, other := r.limiter(), r.limiter()
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10)}))
		r.wantCapacity("before", l, 10)
		for i := range int64(3) {
			r.flood(other, 1100)
			r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 20+i)}))
			lists := r.faults.Calls(limitertest.OpList)
			r.second(l)
			if n := r.faults.Calls(limitertest.OpList) - lists; n > 20 {
				r.Errorf("flood %d: %d lists", i, n)
			}
		}
		r.clock.advance(time.Minute)
		r.capacity(l)
		r.background()
		r.wantCapacity("a minute later", l, 22)
	})
}

// flood writes audit events, and entries of the same index that are none.
func (r *story) flood(l *engine.Limiter, n int) {
	r.Helper()
	for range n {
		r.must(l.RecordEvent(r.Context(), engine.Recorded{Action: "flooded"}))
	}
	for i := range n {
		w := backend.Write{
			Key: backend.Key{Namespace: engine.DefaultNamespace, Partition: "e|x", Sort: fmt.Sprint("junk", i)}, Layout: schema.MarkLayout,
			Index:   &backend.Place{Partition: schema.AuditIndex, Sort: fmt.Sprintf("7ZZZZZZZ%d", i)},
			Effects: []backend.Effect{{Slot: schema.MarkAt, Op: backend.Set, Num: backend.Int(1)}},
		}
		r.must(r.store.Apply(r.Context(), []backend.Write{w}, make([]backend.Outcome, 1)))
	}
}

// followNamespace: a namespace is deleted, and recovered, purged and registered again.
func followNamespace(r *story) {
	r.virtually(func(r *story) {
		other, ctx := r.limiter(), r.Context()
		r.must(other.RegisterNamespace(ctx, "ns"))
		in := func(o *engine.Options) { o.Namespace = "ns" }
		l, q := r.limiter(in), request(tokens("a", 1), stored("a", 1000))
		r.mustAcquire(l, q)
		r.must(other.DeleteNamespace(ctx, "ns"))
		r.clock.advance(time.Second)
		_, _ = l.Acquire(ctx, q)
		r.background()
		for range 3 {
			_, err := l.Acquire(ctx, q)
			r.wantError("a second after the deletion", err, engine.ErrNamespaceNotFound)
		}
		r.wantError("Refresh", l.Refresh(ctx), engine.ErrNamespaceNotFound)
		r.must(other.RecoverNamespace(ctx, "ns"))
		r.mustAcquire(l, q) // whoever waits for a recovery need not wait for a look
		r.must(r.limiter(in).SetResourceDefaults(ctx, api, []engine.Limit{stored("a", 7)}))
		r.clock.advance(time.Second)
		_, _ = l.Acquire(ctx, request(tokens("a", 1)))
		r.background()
		if d, err := l.Allow(ctx, request(tokens("a", 8))); err != nil || d.Allowed {
			r.Errorf("limits set after the recovery: %+v, %v", d, err)
		}
		r.must(l.DeleteNamespace(ctx, "ns"))
		_, err := l.Acquire(ctx, q)
		r.wantError("deleted by itself", err, engine.ErrNamespaceNotFound)
		r.must(other.PurgeNamespace(ctx, "ns"))
		_, err = l.Acquire(ctx, q)
		r.wantError("purged", err, engine.ErrNamespaceNotFound)
		r.must(other.RegisterNamespace(ctx, "ns"))
		_, err = l.Acquire(ctx, request(tokens("a", 1)))
		r.wantError("registered again, without limits", err, engine.ErrNoLimits)
	})
}

// followRefresh: changes are seen at once.
func followRefresh(r *story) {
	r.virtually(func(r *story) {
		l, other := r.limiter(), r.limiter()
		for n := range int64(5) {
			r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10+n)}))
			r.must(l.Refresh(r.Context()))
			r.wantCapacity(fmt.Sprint("change ", n), l, 10+n)
		}
		r.must(l.Close())
		r.wantError("Refresh after Close", l.Refresh(r.Context()), engine.ErrClosed)
	})
}
