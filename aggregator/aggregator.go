package aggregator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Aggregator computes usage from the changes of a store, and writes it to the same store. It is safe for concurrent use, and
// several processes may share a store.
type Aggregator struct {
	store backend.Backend
	opts  Options
}

// New returns an aggregator that writes to store, which remains the caller's to close. It does no I/O. It returns [ErrOptions]
// if store is nil or an option is invalid. o may be nil.
func New(store backend.Backend, o *Options) (*Aggregator, error) {
	opts, err := o.withDefaults()
	if err == nil && store == nil {
		err = invalidOption("the store must not be nil")
	}
	if err != nil {
		return nil, err
	}
	return &Aggregator{store, opts}, nil
}

// Now returns the time of the clock in the options.
func (a *Aggregator) Now() time.Time { return a.opts.Now() }

// Layouts returns the layout of a record whose changes an aggregator needs, and nil for all other records. It is an argument of
// [backend.FeedFunc] and dynamo.ChangeOf.
func Layouts(k backend.Key) *backend.Layout {
	switch layout := schema.LayoutOf(k); layout {
	case schema.BucketLayout, schema.AuditLayout:
		return layout
	}
	return nil
}

// Report describes the result of processing a batch of changes.
type Report struct {
	Counted   int       // changes whose consumption was added to at least one snapshot
	Skipped   int       // changes that were included already, or are older than the retention of usage
	Snapshots int       // snapshots written
	Removed   int       // snapshots of deleted buckets that were removed
	Archived  int       // audit events archived
	Failed    []Failure // sorted by Index
}

// Failure is a change that was not processed, or not added to all its snapshots. It must be processed again, together with all
// later changes.
type Failure struct {
	Index int // of the change in the batch
	Err   error
}

// Process processes changes of the store. The changes of each key must be in order; now is the current time. The report lists
// changes that failed, which do not affect changes of other keys. Processing a change again has no further effect.
func (a *Aggregator) Process(ctx context.Context, changes []backend.Change, now time.Time) Report {
	b := &batch{a: a, ctx: ctx, now: now, changes: changes, failed: map[int]error{}, snapshots: map[snapshotID]*snapshot{}}
	b.planJobs()
	b.run()
	b.archive()
	return b.report()
}

// batch is one call of Process.
type batch struct {
	a       *Aggregator
	ctx     context.Context
	now     time.Time
	changes []backend.Change
	failed  map[int]error // by index

	jobs          []job // writes to make, in the order in which they were planned
	snapshots     map[snapshotID]*snapshot
	consuming     []int // indexes of changes that consumed tokens
	expiredEvents []int // indexes of audit events that have expired
	removed       int
	archived      int
}

// planJobs plans the writes for all keys.
func (b *batch) planJobs() {
	byKey := map[backend.Key][]int{}
	var keys []backend.Key
	for i := range b.changes {
		k := b.changes[i].Key
		if byKey[k] == nil {
			keys = append(keys, k)
		}
		byKey[k] = append(byKey[k], i)
	}
	b.removeDeleted(keys, byKey)
	for _, k := range keys {
		switch schema.LayoutOf(k) {
		case schema.BucketLayout:
			b.planBucket(k, byKey[k])
		case schema.AuditLayout:
			for _, i := range byKey[k] {
				b.planEvent(i)
			}
		}
	}
}

// planBucket plans the writes for the changes of one bucket.
func (b *batch) planBucket(k backend.Key, indexes []int) {
	for at, i := range indexes {
		c := &b.changes[i]
		if !c.After.Present() {
			continue // expired
		}
		in, err := consumption(i, c)
		if err != nil {
			b.failFrom(indexes[at:], err)
			return
		}
		if in != nil {
			b.addToSnapshots(k, in)
		}
	}
}

// failFrom marks the first of these changes of a key as failed, and the others as skipped because of it.
func (b *batch) failFrom(indexes []int, err error) {
	b.failed[indexes[0]] = err
	for _, later := range indexes[1:] {
		b.failed[later] = ErrBehind
	}
}

// planEvent plans what to do for an audit event that is new or has expired.
func (b *batch) planEvent(i int) {
	c := &b.changes[i]
	switch {
	case !c.After.Present() && c.Before.Present():
		if b.expired(c) {
			b.expiredEvents = append(b.expiredEvents, i)
		}
	case !c.Before.Present() && b.a.opts.AuditRetention > 0:
		if w := retentionWrite(c, b.a.opts.AuditRetention); w.Expiry != c.After.Expiry() {
			b.jobs = append(b.jobs, &retentionJob{w, i})
		}
	}
}

func (b *batch) report() Report {
	r := Report{Removed: b.removed, Archived: b.archived}
	taken := map[int]bool{}
	for _, s := range b.snapshots {
		if s.written {
			r.Snapshots++
		}
		for _, i := range s.taken {
			taken[i] = true
		}
	}
	for _, i := range b.consuming {
		if _, failed := b.failed[i]; taken[i] {
			r.Counted++
		} else if !failed {
			r.Skipped++
		}
	}
	for i, err := range b.failed {
		r.Failed = append(r.Failed, Failure{i, err})
	}
	slices.SortFunc(r.Failed, func(x, y Failure) int { return cmp.Compare(x.Index, y.Index) })
	return r
}
