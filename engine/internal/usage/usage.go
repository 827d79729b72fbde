package usage

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Query asks for the snapshots of an entity, of a resource, or of an entity for a resource.
type Query struct {
	Namespace        string
	Entity, Resource string // one of them may be ""
	Window           schema.Window
	From, To         time.Time // From ≤ start of the window < To; zero means no bound
}

// Snapshot is what an entity consumed of a resource in one window.
type Snapshot struct {
	Entity, Resource string
	Window           schema.Window
	Start, End       time.Time        // UTC; Start ≤ t < End
	Tokens           map[string]int64 // by limit
	Acquires         int64
}

// Listing returns the listing that the query asks for.
func (q Query) Listing(from *store.Store) store.Listing {
	s := store.Listing{Query: backend.Query{Namespace: q.Namespace}}
	first, end := q.bounds()
	if q.Entity != "" {
		s.Query.Partition = schema.UsagePartition(q.Entity)
		s.Query.From, s.Query.To = schema.UsageRange(q.Window, first, end)
		if q.Resource != "" {
			s.Keys = keysOf(from, q.Resource)
		}
		return s
	}
	parts := schema.UsageIndex(q.Window, q.Resource)
	s.Query.Partition, s.Query.Index = strings.TrimSuffix(parts[0], "|0"), true
	s.Query.From, s.Query.To = schema.UsageIndexRange(first, end)
	s.Keys = keysIn(from, parts)
	return s
}

// bounds returns From and To in seconds since the Unix epoch, rounded up because windows start at whole seconds.
func (q *Query) bounds() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !q.From.IsZero() {
		from = q.From.Add(time.Second - 1).Unix()
	}
	if !q.To.IsZero() {
		to = q.To.Add(time.Second - 1).Unix()
	}
	return from, to
}

// keysOf lists an entity's snapshots of one resource.
func keysOf(from *store.Store, resource string) func(context.Context, backend.Query) (backend.Keys, error) {
	return func(ctx context.Context, q backend.Query) (of backend.Keys, err error) {
		size := q.Size
		for q.Size = backend.MaxPage; ; {
			found, err := from.Keys(ctx, q)
			if err != nil {
				return backend.Keys{}, err
			}
			for i := range found.Items {
				if _, r, _, _, _ := schema.UsageOf(found.Items[i].Key); r != resource {
					continue
				}
				if len(of.Items) == size {
					of.More = true
					return of, nil
				}
				of.Items = append(of.Items, found.Items[i])
			}
			if !found.More {
				return of, nil
			}
			q.After = &found.Items[len(found.Items)-1]
		}
	}
}

// keysIn lists several partitions of the index as if they were one. A position in one of them is valid in all.
func keysIn(from *store.Store, parts []string) func(context.Context, backend.Query) (backend.Keys, error) {
	return func(ctx context.Context, q backend.Query) (all backend.Keys, err error) {
		found := make([]backend.Keys, len(parts))
		group, ctx := errgroup.WithContext(ctx)
		for i := range parts {
			of := q
			of.Partition = parts[i]
			group.Go(func() (err error) {
				found[i], err = from.Keys(ctx, of)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return all, err
		}
		for i := range found {
			all.Items = append(all.Items, found[i].Items...)
			all.More = all.More || found[i].More
		}
		slices.SortFunc(all.Items, func(a, b backend.Item) int { return strings.Compare(a.Sort, b.Sort) })
		if len(all.Items) > q.Size {
			all.Items, all.More = all.Items[:q.Size], true
		}
		return all, nil
	}
}

// SnapshotOf decodes an item of a listing; false if there is none.
func SnapshotOf(it backend.Item, r *backend.Record) (s Snapshot, wanted bool, err error) {
	entity, resource, window, start, ok := schema.UsageOf(it.Key)
	if !ok || !r.Present() {
		return s, false, nil
	}
	counters, err := schema.Counters(r)
	if err != nil {
		return s, false, store.Failure(context.Background(), err)
	}
	s = Snapshot{
		Entity: entity, Resource: resource, Window: window,
		Start: time.Unix(start, 0).UTC(), End: time.Unix(window.End(start), 0).UTC(),
		Tokens: make(map[string]int64, len(counters)), Acquires: r.Int64(schema.UsageAcq),
	}
	for _, c := range counters {
		s.Tokens[c.Name] = c.N.SaturateInt64()
	}
	return s, true, nil
}
