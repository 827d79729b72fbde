package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// After an interruption at any call, applying the manifest again leads to the same state as without it.
func TestManifestInterrupted(t *testing.T) {
	wanted := []engine.Setting{system(engine.PolicyAllow, rpm), absent(resource("old", rpm)), absent(record("old", ""))}
	for i := range 30 {
		id := fmt.Sprintf("e%02d", i)
		wanted = append(wanted, record(id, fmt.Sprint("p", i%3)), limits(id, "r", rpm), record(fmt.Sprint("q", i), ""))
	}
	wanted = append(wanted, record("p0", "p1"), record("p1", "p2"), record("p2", ""))
	prepared := func() *world {
		w := newWorld(t)
		must(t, w.apply(nil, resource("old", rpm), record("old", ""), limits("e07", "r", engine.PerMinute("rpm", 99))))
		w.use("e07", "r")
		return w
	}
	undisturbed := prepared()
	must(t, undisturbed.apply(nil, wanted...))
	end := undisturbed.managed("m")
	for _, kind := range []fault{refused, raced, mute, gone, broken} {
		for n, faulty := 0, true; faulty; n++ {
			w := prepared()
			all, err := changesTo(t.Context(), w.Limiter, wanted...)
			must(t, err)
			w.trouble.will(append(make([]fault, n), kind)...)
			err = w.limiter(w.trouble, &engine.Options{Timeout: time.Minute}).ApplyManifest(t.Context(), "m", all, nil)
			if err != nil && kind != broken && !(kind == raced && errors.Is(err, engine.ErrContention)) {
				t.Fatalf("fault %d in call %d: %v", kind, n, err)
			}
			w.trouble.lock.Lock()
			faulty = len(w.trouble.script) == 0
			w.trouble.lock.Unlock()
			must(t, w.apply(nil, wanted...))
			equal(t, fmt.Sprintf("after fault %d in call %d", kind, n), w.managed("m"), end)
			equal(t, "records", len(w.dump(false)), len(undisturbed.dump(false)))
		}
	}
}

// A context that ends stops ApplyManifest between two commits. Deletions come last.
func TestManifestCancelled(t *testing.T) {
	w := newWorld(t)
	must(t, w.apply(nil, resource("old", rpm)))
	wanted := []engine.Setting{absent(resource("old", rpm))}
	for i := range 100 {
		wanted = append(wanted, limits(fmt.Sprint("e", i), "", rpm))
	}
	all, err := changesTo(t.Context(), w.Limiter, wanted...)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	err = w.ApplyManifest(ctx, "m", all, &engine.ManifestOptions{Progress: func(int) { cancel() }})
	wants(t, "cancelled", err, context.Canceled)
	done := strings.Count(w.managed("m"), "limits of ")
	if done == 0 || done == 100 || !strings.HasPrefix(w.managed("m"), "resource old") {
		t.Errorf("%d were made of\n%s", done, w.managed("m"))
	}
	must(t, w.apply(nil, wanted...))
	equal(t, "made in the end", strings.Count(w.managed("m"), "\n"), 99)
}

// Many changes take few commits. A deletion of one of the entities that was interrupted before is finished.
func TestManifestCalls(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.furnish("e7", 17, 0)
	w.Limiter = w.limiter(w.store, &engine.Options{Timeout: time.Minute}) // a busy machine takes longer than the default
	w.trouble.once("commit", 1, func() { w.trouble.will(broken) })
	wants(t, "interrupted", w.troubled().DeleteEntity(ctx, "e7", nil), errBroken)
	var wanted []engine.Setting
	for i := range 1000 {
		wanted = append(wanted, limits(fmt.Sprint("e", i), "s", rpm))
	}
	all, err := changesTo(ctx, w.Limiter, wanted...)
	must(t, err)
	w.trouble.will()
	l := w.limiter(w.trouble, &engine.Options{Timeout: time.Minute})
	must(t, l.ApplyManifest(ctx, "m", all, nil))
	commits := 0
	for _, call := range w.trouble.calls {
		if call == "commit" {
			commits++
		}
	}
	if most := 1000*4/backend.MaxCommit + 10 + 5; commits > most {
		t.Errorf("%d commits, of %d at the most", commits, most)
	}
	equal(t, "managed", strings.Count(w.managed("m"), "\n"), 999)
	for key := range w.dump(false) {
		if strings.Contains(key, "d|e7") || strings.Contains(key, "limits|r") {
			t.Errorf("left of the deletion: %s", key)
		}
	}
}

// A policy that a manifest sets is in force at once, also if the store cannot be reached from then on.
func TestManifestSetsPolicy(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	l := w.troubled()
	must(t, l.ApplyManifest(ctx, "m", []engine.SettingChange{{Before: absent(system(0)), After: system(engine.PolicyAllow)}}, nil))
	w.trouble.will(slices.Repeat([]fault{refused}, 20)...)
	d, err := l.Allow(ctx, engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{rpm}})
	must(t, err)
	equal(t, "admitted without the store", d.Degraded, true)
}

// Limits that a manifest sets are in force in an existing bucket at once.
func TestManifestConvertsLiveBuckets(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.SetLimits(ctx, "e", "r", []engine.Limit{rpm}))
	w.use("e", "r")
	must(t, w.apply(nil, limits("e", "r", engine.PerMinute("rpm", 100)), limits("idle", "r", rpm)))
	key, _ := schema.Bucket("default", "e", "r")
	out := make([]backend.Record, 1)
	out[0].Reset(schema.BucketLayout)
	must(t, w.store.Read(ctx, []backend.Key{key}, out))
	packed, _ := out[0].Text(schema.L)
	terms, err := schema.Unpack(packed)
	must(t, err)
	equal(t, "the bucket's limits", terms, []schema.Term{{Limit: engine.PerMinute("rpm", 100)}})
	equal(t, "buckets", strings.Count(fmt.Sprint(w.dump(false)), "b|e|"), 1)
	statuses, err := w.Available(ctx, "e", "r")
	must(t, err)
	equal(t, "available", statuses[0].Remaining, int64(99))
}

// TestManifestGivesAwayChild: a manifest that deletes an entity and makes it a parent, whether or not parents need exist, changes nothing.
func TestManifestGivesAwayChild(t *testing.T) {
	for name, first := range map[string][]engine.Setting{
		"created": {record("top", "")},
		"moved":   {record("top", ""), record("child", "")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			must(t, w.apply(nil, first...))
			before := w.managed("m")
			var parent *engine.ParentError
			err := w.apply(&engine.ManifestOptions{AllowMissingParent: true}, absent(record("top", "")), record("child", "top"))
			if !errors.As(err, &parent) || parent.Entity != "top" || parent.Child != "child" {
				t.Errorf("top is to be deleted, and child's parent: %v", err)
			}
			equal(t, "managed afterwards", w.managed("m"), before)
		})
	}
}
