package engine

import (
	"context"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/usage"
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
// It returns a *ValidationError for bad input.
func (l *Limiter) Usage(ctx context.Context, q UsageQuery) (UsagePage, error) {
	if err := q.check(); err != nil {
		return UsagePage{}, err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return UsagePage{}, err
	}
	of := usage.Query{Namespace: l.opts.Namespace, Entity: q.Entity, Resource: q.Resource, Window: schema.Window(q.Window), From: q.From, To: q.To}
	return walk(ctx, l, q.Page, of.Listing(l.store), func(it backend.Item, r *backend.Record) (UsageSnapshot, bool, error) {
		s, wanted, err := usage.SnapshotOf(it, r)
		return UsageSnapshot{s.Entity, s.Resource, Window(s.Window), s.Start, s.End, s.Tokens, s.Acquires}, wanted, err
	})
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
	if err := checkFilter(q.Entity, q.Resource); err != nil {
		return err
	}
	if !slices.Contains(schema.Windows, schema.Window(q.Window)) {
		return &ValidationError{"Window", string(q.Window), "must be hourly, daily or monthly"}
	}
	if !q.To.IsZero() && q.To.Before(q.From) {
		return &ValidationError{"To", q.To, "must not be before From"}
	}
	return nil
}
