package engine_test

import (
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

// A change takes into account whatever another limiter changes between its reads and its commit, and so does its event.
func TestComesBetween(t *testing.T) {
	name := "newer"
	newer := []engine.Limit{engine.PerMinute("newer", 1)}
	for what, c := range map[string]struct {
		ready  func(*world)
		make   func(*engine.Limiter) error
		other  func(*world) error
		want   error
		before string // Before of the newest event
	}{
		"delete an entity that is renamed": {
			func(w *world) { w.furnish("e", 0, 0) },
			func(l *engine.Limiter) error { return l.DeleteEntity(t.Context(), "e", nil) },
			func(w *world) error {
				_, err := w.UpdateEntity(t.Context(), "e", engine.EntityUpdate{Name: &name}, nil)
				return err
			}, nil, "entity_deleted e  {\"id\":\"e\",\"name\":\"newer\"",
		},
		"delete an entity that is given limits": {
			func(w *world) { w.furnish("e", 1, 0) },
			func(l *engine.Limiter) error { return l.DeleteEntity(t.Context(), "e", nil) },
			func(w *world) error { return w.SetLimits(t.Context(), "e", "r0", newer) },
			nil, "entity_deleted e  {",
		},
		"delete limits that are set": {
			func(w *world) { w.furnish("e", 1, 0) },
			func(l *engine.Limiter) error { return l.DeleteLimits(t.Context(), "e", "r0") },
			func(w *world) error { return w.SetLimits(t.Context(), "e", "r0", newer) },
			nil, "limits_deleted e r0 {\"limits\":[{\"name\":\"newer\"",
		},
		"delete limits that are deleted": {
			func(w *world) { w.furnish("e", 1, 0) },
			func(l *engine.Limiter) error { return l.DeleteLimits(t.Context(), "e", "r0") },
			func(w *world) error { return w.DeleteLimits(t.Context(), "e", "r0") },
			nil, "limits_deleted e r0 {\"limits\":[{\"name\":\"rpm\"",
		},
		"reset a bucket that is used": {
			func(w *world) { w.use("e", "r") },
			func(l *engine.Limiter) error { return l.ResetBucket(t.Context(), "e", "r") },
			func(w *world) error { w.use("e", "r"); return nil },
			nil, `bucket_reset e r {"limits":[{"name":"rpm","capacity":10,"refill_amount":10,"refill_period_seconds":60,"available":8,"used":2}]}`,
		},
		"create an entity that is created": {
			func(*world) {},
			func(l *engine.Limiter) error { return l.CreateEntity(t.Context(), engine.Entity{ID: "e"}, nil) },
			func(w *world) error { return w.CreateEntity(t.Context(), engine.Entity{ID: "e", Name: name}, nil) },
			engine.ErrEntityExists, "entity_created e  - {\"id\":\"e\",\"name\":\"newer\"",
		},
		"register a namespace that is deleted": {
			func(*world) {},
			func(l *engine.Limiter) error { return l.RegisterNamespace(t.Context(), "n") },
			func(w *world) error {
				must(t, w.RegisterNamespace(t.Context(), "n"))
				return w.DeleteNamespace(t.Context(), "n")
			}, invalid("Namespace"), "namespace_deleted   {",
		},
		"purge a namespace that is recovered": {
			func(w *world) {
				must(t, w.RegisterNamespace(t.Context(), "n"))
				must(t, w.DeleteNamespace(t.Context(), "n"))
			},
			func(l *engine.Limiter) error { return l.PurgeNamespace(t.Context(), "n") },
			func(w *world) error { return w.RecoverNamespace(t.Context(), "n") },
			invalid("Namespace"), "namespace_recovered   {",
		},
	} {
		w := newWorld(t)
		c.ready(w)
		l := w.troubled()
		w.trouble.once("commit", 0, func() {
			w.pass(1e6)
			must(t, c.other(w))
			w.pass(1e6)
		})
		wants(t, what, c.make(l), c.want)
		if newest := w.told(1)[0]; !strings.HasPrefix(newest, c.before) {
			t.Errorf("%s: %s", what, newest)
		}
		if left := w.dump(false, "n"); strings.HasPrefix(what, "delete ") && len(left) != 2*strings.Count(what, "limits that") {
			t.Errorf("%s: %v is left", what, left)
		}
	}
}
