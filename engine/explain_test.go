package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestExplain(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	explain := func() engine.Explanation {
		t.Helper()
		x, err := w.Explain(ctx, "user", "r")
		must(t, err)
		return x
	}
	equal(t, "nothing stored", explain(), engine.Explanation{Path: []engine.PathLevel{{Entity: "user"}}})
	limit := func(n int64) []engine.Limit {
		return []engine.Limit{engine.PerMinute("b", n), engine.PerMinute("a", n)}
	}
	sorted := func(n int64) []engine.Limit {
		return []engine.Limit{engine.PerMinute("a", n), engine.PerMinute("b", n)}
	}
	must(t, w.SetSystemDefaults(ctx, limit(1), nil))
	equal(t, "system", explain().Path, []engine.PathLevel{{Entity: "user", Level: engine.LevelSystem, Limits: sorted(1)}})
	must(t, w.SetResourceDefaults(ctx, "r", limit(2)))
	equal(t, "resource", explain().Path, []engine.PathLevel{{Entity: "user", Level: engine.LevelResource, Limits: sorted(2)}})
	must(t, w.SetLimits(ctx, "user", "", limit(3)))
	equal(t, "entity", explain().Path, []engine.PathLevel{{Entity: "user", Level: engine.LevelEntity, Limits: sorted(3)}})
	must(t, w.SetLimits(ctx, "user", "r", limit(4)))
	equal(t, "entity and resource", explain().Path, []engine.PathLevel{{Entity: "user", Level: engine.LevelEntityResource, Limits: sorted(4)}})

	must(t, w.CreateEntity(ctx, engine.Entity{ID: "user", Parent: "team"}, anyParent))
	equal(t, "a parent without cascade", len(explain().Path), 1)
	cascade := true
	_, err := w.UpdateEntity(ctx, "user", engine.EntityUpdate{Cascade: &cascade}, nil)
	must(t, err)
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "team", Parent: "org", Cascade: true}, anyParent))
	must(t, w.SetLimits(ctx, "org", "", limit(5)))
	must(t, w.DeleteSystemDefaults(ctx))
	must(t, w.DeleteResourceDefaults(ctx, "r"))
	want := []engine.PathLevel{
		{Entity: "user", Cascade: true, Level: engine.LevelEntityResource, Limits: sorted(4)},
		{Entity: "team", Cascade: true},
		{Entity: "org", Level: engine.LevelEntity, Limits: sorted(5)},
	}
	equal(t, "cascade", explain().Path, want)
	text, err := json.Marshal(explain())
	must(t, err)
	equal(t, "the level in JSON", bytes.Contains(text, []byte(`"Level":"entity+resource"`)), true)

	other := w.limiter(w.store, nil) // changes that this process does not know of
	must(t, other.SetLimits(ctx, "user", "r", limit(6)))
	want[0].Limits = sorted(6)
	equal(t, "not from memory", explain().Path, want)
	for field, id := range map[string][2]string{"Entity": {"\n", "r"}, "Resource": {"user", ""}} {
		_, err := w.Explain(ctx, id[0], id[1])
		wants(t, fmt.Sprint(id), err, invalid(field))
	}
}

// A path that became too long further down is an error when it is used.
func TestExplainTooLong(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for i := range 6 {
		for _, chain := range []string{"a", "b"} {
			e := engine.Entity{ID: fmt.Sprint(chain, i), Cascade: true}
			if i > 0 {
				e.Parent = fmt.Sprint(chain, i-1)
			}
			must(t, w.CreateEntity(ctx, e, nil))
		}
	}
	parent := "a5"
	_, err := w.UpdateEntity(ctx, "b0", engine.EntityUpdate{Parent: &parent}, anyParent)
	must(t, err)
	must(t, w.SetSystemDefaults(ctx, []engine.Limit{engine.PerMinute("rpm", 10)}, nil))
	before := w.dump(true)
	_, err = w.Explain(ctx, "b5", "r")
	wants(t, "twelve", err, engine.ErrCycle)
	_, err = w.Allow(ctx, engine.Request{Entity: "b5", Resource: "r", Consume: engine.Tokens{"rpm": 1}})
	wants(t, "used", err, engine.ErrCycle)
	equal(t, "store", w.dump(true), before)
	x, err := w.Explain(ctx, "b1", "r")
	must(t, err)
	equal(t, "eight", len(x.Path), 8)
}
