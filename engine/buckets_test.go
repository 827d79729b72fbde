package engine_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/engine"
)

// onStores runs a test on the memory store and on a file.
func onStores(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("memory", func(t *testing.T) { test(t, newWorld(t)) })
	t.Run("bolt", func(t *testing.T) {
		w := newWorld(t)
		store, err := bolt.Open(filepath.Join(t.TempDir(), "limiter.db"), &bolt.Options{NoSync: true})
		must(t, err)
		t.Cleanup(func() { store.Close() })
		w.Limiter = w.limiter(store, nil)
		test(t, w)
	})
}

// briefly describes a bucket in one line.
func briefly(b engine.BucketState) string {
	s := fmt.Sprintf("%s %s acquires=%d", b.Entity, b.Resource, b.Acquires)
	for _, l := range b.Limits {
		s += fmt.Sprintf(" %v available=%d used=%d brought=%v wait=%v", l.Limit, l.Available, l.Used, l.Brought, l.RetryAfter)
	}
	return s
}

func TestBuckets(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		must(t, w.SetLimits(ctx, "ann", "gpt-4", []engine.Limit{engine.PerMinute("rpm", 6), engine.PerMinute("tpm", 600)}))
		first := w.now()
		mustAcquire(t, w.Limiter, engine.Request{Entity: "ann", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 2}})
		lease := mustAcquire(t, w.Limiter, engine.Request{Entity: "ann", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 4}})
		must(t, lease.Adjust(engine.Tokens{"tpm": 610}))
		must(t, lease.Commit(ctx))
		mustAcquire(t, w.Limiter, engine.Request{
			Entity: "bob", Resource: "images", Consume: engine.Tokens{"n": 3}, Limits: []engine.Limit{engine.PerDay("n", 5)},
		})
		mustDeny(t, w.Limiter, engine.Request{Entity: "ann", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1}})
		page, err := w.Buckets(ctx, engine.BucketQuery{})
		must(t, err)
		ann := "ann gpt-4 acquires=2 rpm:6/min available=0 used=6 brought=false wait=10s tpm:600/min available=-10 used=610 brought=false wait=1.1s"
		bob := "bob images acquires=1 n:5/day available=2 used=3 brought=true wait=0s"
		equal(t, "all", lines(page.Items), []string{ann, bob})
		if b := page.Items[0]; !b.WrittenAt.Equal(first) || b.Version != first.UnixNano()+2 || page.Next != "" {
			t.Errorf("written %v, version %d, next %q", b.WrittenAt, b.Version, page.Next)
		}
		page, err = w.Buckets(ctx, engine.BucketQuery{Entity: "bob"})
		must(t, err)
		equal(t, "of bob", lines(page.Items), []string{bob})
		some, err := w.BucketStates(ctx, []engine.BucketName{{"bob", "images"}, {"nobody", "gpt-4"}, {"ann", "gpt-4"}})
		must(t, err)
		equal(t, "by name", lines(some), []string{bob, ann})

		w.pass(time.Minute)
		must(t, w.ResetBucket(ctx, "ann", "gpt-4"))
		some, err = w.BucketStates(ctx, []engine.BucketName{{"ann", "gpt-4"}})
		must(t, err)
		equal(t, "reset", some[0].Acquires, int64(2))
		equal(t, "reset", some[0].Limits[1].Available, int64(600))
		w.pass(48 * time.Hour) // the records have expired, whether or not the store has dropped them
		page, err = w.Buckets(ctx, engine.BucketQuery{})
		must(t, err)
		equal(t, "expired", lines(page.Items), nil)
	})
}

func lines(all []engine.BucketState) (lines []string) {
	for _, b := range all {
		lines = append(lines, briefly(b))
	}
	return lines
}

// TestBucketsPages lists buckets among records of other kinds, in pages of all sizes: each bucket is there once, and no page
// but the last is empty.
func TestBucketsPages(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var want []string
		for i := range 12 {
			entity := fmt.Sprintf("e%02d", i)
			must(t, w.CreateEntity(ctx, engine.Entity{ID: entity}, nil))
			mustAcquire(t, w.Limiter, engine.Request{Entity: entity, Resource: "r", Consume: engine.Tokens{"n": 1}, Limits: []engine.Limit{engine.PerDay("n", 5)}})
			want = append(want, entity)
		}
		for _, size := range []int{1, 2, 5, 12, 13, 1000} {
			var got []string
			for p := (engine.Page{Size: size}); ; {
				page, err := w.Buckets(ctx, engine.BucketQuery{Page: p})
				must(t, err)
				if len(page.Items) == 0 && page.Next != "" || len(page.Items) > size {
					t.Fatalf("a page of %d has %d, next %q", size, len(page.Items), page.Next)
				}
				for _, b := range page.Items {
					got = append(got, b.Entity)
				}
				if p.After = page.Next; p.After == "" {
					break
				}
			}
			slices.Sort(got)
			equal(t, fmt.Sprint("pages of ", size), got, want)
		}
	})
}

func TestBucketsRefuses(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "a"}, nil))
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "b"}, nil))
	entities, err := w.Entities(ctx, engine.Page{Size: 1})
	must(t, err)
	for what, p := range map[string]engine.Page{
		"Page.Size": {Size: -1}, "Page.Size ": {Size: 1001}, "Page.After": {After: "*"}, "Page.After of another list": {After: entities.Next},
	} {
		_, err := w.Buckets(ctx, engine.BucketQuery{Page: p})
		wants(t, what, err, invalid(strings.Fields(what)[0]))
	}
	_, err = w.Buckets(ctx, engine.BucketQuery{Entity: "not\nlegal"})
	wants(t, "entity", err, invalid("Entity"))
	_, err = w.BucketStates(ctx, []engine.BucketName{{"a", "not legal"}})
	wants(t, "resource", err, invalid("Resource"))
	_, err = w.limiter(bare{w.store}, nil).Buckets(ctx, engine.BucketQuery{})
	wants(t, "a store that cannot walk", err, invalid("store"))
	_, err = w.limiter(w.store, &engine.Options{Namespace: "nosuch"}).Buckets(ctx, engine.BucketQuery{})
	wants(t, "namespace", err, engine.ErrNamespaceNotFound)
}
