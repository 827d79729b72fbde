package aggregator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Aggregator adds up usage in the store whose changes it is given. Safe for concurrent use; several processes may share
// a store.
type Aggregator struct {
	store backend.Backend
	opts  Options
}

// New makes an aggregator that writes to store, which it does not close. It does no I/O. ErrOptions.
func New(store backend.Backend, o *Options) (*Aggregator, error) {
	opts, err := o.withDefaults()
	if err == nil && store == nil {
		err = badOption("the store must not be nil")
	}
	if err != nil {
		return nil, err
	}
	return &Aggregator{store, opts}, nil
}

// Now is what the clock of the options says.
func (a *Aggregator) Now() time.Time { return a.opts.Now() }

// Layouts are those of the records whose changes matter, nil for all others: for [backend.FeedFunc] and dynamo.ChangeOf.
func Layouts(k backend.Key) *backend.Layout {
	switch layout := schema.LayoutOf(k); layout {
	case schema.BucketLayout, schema.AuditLayout:
		return layout
	}
	return nil
}

// Report is what became of a batch of changes.
type Report struct {
	Counted   int       // changes whose consumption was taken in, in one snapshot at least
	Skipped   int       // changes that had been taken in before, or are older than usage is kept
	Snapshots int       // snapshots written
	Removed   int       // snapshots removed, of buckets that were deleted
	Archived  int       // audit events archived
	Failed    []Failure // by Index
}

// Failure is a change that was not taken in, or not by all snapshots. It must come again, with all behind it.
type Failure struct {
	Index int // in the batch
	Err   error
}

// Process takes in changes of the store, in their order for each key; now is the present. What fails is in the report;
// changes of other keys are not held up by it. Processing a change again has no further effect.
func (a *Aggregator) Process(ctx context.Context, changes []backend.Change, now time.Time) Report {
	b := &batch{a: a, ctx: ctx, now: now, changes: changes, failed: map[int]error{}, snapshots: map[snapshotID]*snapshot{}}
	b.sort()
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

	jobs      []job // writes to be made, in the order in which they were asked for
	snapshots map[snapshotID]*snapshot
	counts    []int // indexes of changes that consumed something
	archives  []int // indexes of audit events that are gone
	removed   int
	archived  int
}

// sort finds out what there is to do for each key.
func (b *batch) sort() {
	byKey := map[backend.Key][]int{}
	var keys []backend.Key
	for i := range b.changes {
		k := b.changes[i].Key
		if byKey[k] == nil {
			keys = append(keys, k)
		}
		byKey[k] = append(byKey[k], i)
	}
	b.clean(keys, byKey)
	for _, k := range keys {
		switch schema.LayoutOf(k) {
		case schema.BucketLayout:
			b.sortBucket(k, byKey[k])
		case schema.AuditLayout:
			for _, i := range byKey[k] {
				b.sortEvent(i)
			}
		}
	}
}

// sortBucket asks for what the changes of one bucket consumed.
func (b *batch) sortBucket(k backend.Key, indexes []int) {
	for at, i := range indexes {
		c := &b.changes[i]
		if !c.After.Present() {
			continue // it has expired
		}
		in, err := consumption(i, c)
		if err != nil {
			b.giveUp(indexes[at:], err)
			return
		}
		if in != nil {
			b.count(k, in)
		}
	}
}

// giveUp reports changes of a key, the first of which failed.
func (b *batch) giveUp(indexes []int, err error) {
	b.failed[indexes[0]] = err
	for _, behind := range indexes[1:] {
		b.failed[behind] = ErrBehind
	}
}

// past reports whether a record's time is over.
func (b *batch) past(r *backend.Record) bool {
	return r.Expiry() != backend.NoExpiry && int64(r.Expiry()) <= b.now.Unix()
}

// sortEvent takes up an audit event that is new, or gone.
func (b *batch) sortEvent(i int) {
	c := &b.changes[i]
	switch {
	case !c.After.Present() && c.Before.Present():
		if b.past(&c.Before) {
			b.archives = append(b.archives, i)
		}
	case !c.Before.Present() && b.a.opts.AuditRetention > 0:
		if w := retain(c, b.a.opts.AuditRetention); w.Expiry != c.After.Expiry() {
			b.jobs = append(b.jobs, &retention{w, i})
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
	for _, i := range b.counts {
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
