package engine

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

// Window is the length of the spans of time, in UTC, for which usage is summed.
type Window string

// The windows. The aggregator's options choose which of them are kept; by default hours and days.
const (
	WindowHourly  Window = "hourly"
	WindowDaily   Window = "daily"
	WindowMonthly Window = "monthly"
)

// UsageQuery asks for the usage of an entity, of a resource, or of an entity for a resource, in windows of one length. Each
// length covers all usage, so sums over several lengths would count it several times.
type UsageQuery struct {
	Entity   string    // "" for all entities; then Resource is required
	Resource string    // "" for all resources
	Window   Window    // required
	From, To time.Time // From ≤ start of the window < To; zero means no bound
	Page     Page
}

// UsageSnapshot is what an entity consumed of a resource in one window.
type UsageSnapshot struct {
	Entity, Resource string
	Window           Window
	Start, End       time.Time // UTC; Start ≤ t < End
	Tokens           Tokens    // by limit; negative if more was refunded than consumed
	Acquires         int64     // admitted, also those that were rolled back; it may be negative, as Tokens may
}

// UsagePage is one page of snapshots.
type UsagePage = List[UsageSnapshot]

// UsageSummary is the sum of usage snapshots.
type UsageSummary struct {
	Snapshots  int       // how many were summed
	Start, End time.Time // start of the first and end of the last window, UTC; zero without snapshots
	Total      Tokens    // by limit
	Acquires   int64
}

// Usage lists usage snapshots by the start of their window; those with the same start by resource if Entity is set, and by
// entity otherwise. The aggregator writes the snapshots, in AWS some seconds after the use. Without an aggregator there are
// none. Without Entity they come from an index that lags, so a snapshot that was written a moment ago may be missing.
// *ValidationError.
func (l *Limiter) Usage(ctx context.Context, q UsageQuery) (UsagePage, error) {
	if err := q.check(); err != nil {
		return UsagePage{}, err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return UsagePage{}, err
	}
	return walk(ctx, l, q.Page, l.usage(q), snapshotOf)
}

// UsageSummary sums all snapshots that Usage lists; the query's Page is ignored.
func (l *Limiter) UsageSummary(ctx context.Context, q UsageQuery) (UsageSummary, error) {
	sum := UsageSummary{Total: Tokens{}}
	for q.Page = (Page{Size: backend.MaxPage}); ; {
		page, err := l.Usage(ctx, q)
		if err != nil {
			return UsageSummary{}, err
		}
		for i := range page.Items {
			sum.add(&page.Items[i])
		}
		if q.Page.After = page.Next; page.Next == "" {
			return sum, nil
		}
	}
}

func (u *UsageSummary) add(s *UsageSnapshot) {
	u.Snapshots++
	if u.Start.IsZero() || s.Start.Before(u.Start) {
		u.Start = s.Start
	}
	if s.End.After(u.End) {
		u.End = s.End
	}
	for name, n := range s.Tokens {
		u.Total[name] = saturatedSum(u.Total[name], n)
	}
	u.Acquires = saturatedSum(u.Acquires, s.Acquires)
}

func saturatedSum(a, b int64) int64 { return backend.Int(a).Add(backend.Int(b)).SaturateInt64() }

func (q *UsageQuery) check() error {
	if q.Entity == "" && q.Resource == "" {
		return &ValidationError{"Entity", q.Entity, "must be set if Resource is not"}
	}
	if q.Entity != "" {
		if err := checkEntity(q.Entity); err != nil {
			return err
		}
	}
	if q.Resource != "" {
		if err := checkResource(q.Resource); err != nil {
			return err
		}
	}
	if !slices.Contains(schema.Windows, schema.Window(q.Window)) {
		return &ValidationError{"Window", string(q.Window), "must be hourly, daily or monthly"}
	}
	if !q.To.IsZero() && q.To.Before(q.From) {
		return &ValidationError{"To", q.To, "must not be before From"}
	}
	return nil
}

// bounds returns From and To in seconds since the Unix epoch, rounded up because windows start at whole seconds.
func (q *UsageQuery) bounds() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !q.From.IsZero() {
		from = q.From.Add(time.Second - 1).Unix()
	}
	if !q.To.IsZero() {
		to = q.To.Add(time.Second - 1).Unix()
	}
	return from, to
}

// usage returns the listing that a query asks for.
func (l *Limiter) usage(q UsageQuery) store.Listing {
	window := schema.Window(q.Window)
	s := store.Listing{Query: backend.Query{Namespace: l.opts.Namespace}}
	from, to := q.bounds()
	if q.Entity != "" {
		s.Query.Partition = schema.UsagePartition(q.Entity)
		s.Query.From, s.Query.To = schema.UsageRange(window, from, to)
		if q.Resource != "" {
			s.Keys = l.usageKeysOf(q.Resource)
		}
		return s
	}
	parts := schema.UsageIndex(window, q.Resource)
	s.Query.Partition, s.Query.Index = strings.TrimSuffix(parts[0], "|0"), true
	s.Query.From, s.Query.To = schema.UsageIndexRange(from, to)
	s.Keys = l.usageKeysIn(parts)
	return s
}

// usageKeysOf lists an entity's snapshots of one resource.
func (l *Limiter) usageKeysOf(resource string) func(context.Context, backend.Query) (backend.Keys, error) {
	return func(ctx context.Context, q backend.Query) (of backend.Keys, err error) {
		size := q.Size
		for q.Size = backend.MaxPage; ; {
			found, err := l.store.Keys(ctx, q)
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

// usageKeysIn lists several partitions of the index as if they were one. A position in one of them is valid in all.
func (l *Limiter) usageKeysIn(parts []string) func(context.Context, backend.Query) (backend.Keys, error) {
	return func(ctx context.Context, q backend.Query) (all backend.Keys, err error) {
		found := make([]backend.Keys, len(parts))
		group, ctx := errgroup.WithContext(ctx)
		for i := range parts {
			of := q
			of.Partition = parts[i]
			group.Go(func() (err error) {
				found[i], err = l.store.Keys(ctx, of)
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

func snapshotOf(it backend.Item, r *backend.Record) (s UsageSnapshot, wanted bool, err error) {
	entity, resource, window, start, ok := schema.UsageOf(it.Key)
	if !ok || !r.Present() {
		return s, false, nil
	}
	counters, err := schema.Counters(r)
	if err != nil {
		return s, false, store.Failure(context.Background(), err)
	}
	s = UsageSnapshot{
		Entity: entity, Resource: resource, Window: Window(window),
		Start: time.Unix(start, 0).UTC(), End: time.Unix(window.End(start), 0).UTC(),
		Tokens: make(Tokens, len(counters)), Acquires: r.Int64(schema.UsageAcq),
	}
	for _, c := range counters {
		s.Tokens[c.Name] = c.N.SaturateInt64()
	}
	return s, true, nil
}
