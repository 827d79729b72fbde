package engine

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// BucketName names a bucket.
type BucketName struct{ Entity, Resource string }

// BucketState is a bucket as its record has it. What was denied is not in it: a denial writes nothing.
type BucketState struct {
	BucketName
	Acquires  int64        // ever admitted, rolled back or not. It falls only where the record was removed and made anew
	Version   int64        // one more with each write of the record; now in ns where the record is made
	WrittenAt time.Time    // by the last writer's clock
	Limits    []LimitState // by name; those of the record, which may not be those stored by now
}

// LimitState is one limit of a bucket.
type LimitState struct {
	Limit      Limit
	Brought    bool          // by a request, not stored
	Available  int64         // now; negative: debt
	Used       int64         // ever consumed and not given back
	RetryAfter time.Duration // until this limit admits one token, if nobody else comes; 0: it does now
}

// BucketQuery asks for a part of the buckets.
type BucketQuery struct {
	Entity string // only this one's; "": all of the namespace
	Page   Page
}

// BucketPage is one page of buckets.
type BucketPage = List[BucketState]

// allBuckets begins the cursors of a walk through a namespace.
const allBuckets = "buckets\x00"

// Buckets lists buckets with what is left in them, in an order of the store's own. Buckets that are full are not among
// them once the store has dropped their records. It writes nothing. Those of all entities are found by walking
// through all records of the namespace, on DynamoDB of the whole table: a page may hold fewer than it could before the
// list's end, none it never does. Buckets that cannot be read are skipped and reported (EventSkipped). *ValidationError, also
// where the store cannot walk.
func (l *Limiter) Buckets(ctx context.Context, q BucketQuery) (BucketPage, error) {
	if err := l.checkNamespace(ctx); err != nil {
		return BucketPage{}, err
	}
	now, err := l.now()
	if err != nil {
		return BucketPage{}, err
	}
	if q.Entity == "" {
		return l.everyBucket(ctx, q.Page, now)
	}
	if err := checkEntity(q.Entity); err != nil {
		return BucketPage{}, err
	}
	return walk(ctx, l, q.Page, l.bucketListing(q.Entity), func(it backend.Item, r *backend.Record) (BucketState, bool, error) {
		return l.bucketState(it.Key, r, now)
	})
}

// BucketStates reads buckets by name, and leaves out those that have no record, which are full, and those that cannot be
// read, which are reported (EventSkipped). It writes nothing. *ValidationError.
func (l *Limiter) BucketStates(ctx context.Context, names []BucketName) ([]BucketState, error) {
	keys := make([]backend.Key, len(names))
	for i, n := range names {
		if err := checkEntity(n.Entity); err != nil {
			return nil, err
		}
		if err := checkResource(n.Resource); err != nil {
			return nil, err
		}
		keys[i], _ = schema.Bucket(l.opts.Namespace, n.Entity, n.Resource)
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	now, err := l.now()
	if err != nil {
		return nil, err
	}
	return l.statesOf(ctx, keys, now)
}

// everyBucket walks through the namespace until it has found some buckets.
func (l *Limiter) everyBucket(ctx context.Context, p Page, now int64) (list BucketPage, err error) {
	scanner, ok := l.store.(backend.Scanner)
	if !ok {
		return list, &ValidationError{"store", fmt.Sprintf("%T", l.store), "cannot list a whole namespace; ask for the buckets of one entity"}
	}
	size, err := p.size()
	if err != nil {
		return list, err
	}
	position, err := p.scanned()
	if err != nil {
		return list, err
	}
	for {
		keys, next, err := l.scan(ctx, scanner, l.opts.Namespace, position, size)
		if err != nil {
			return list, err
		}
		if list.Items, err = l.statesOf(ctx, keys, now); err != nil {
			return BucketPage{}, err
		}
		if position = next; next != "" {
			list.Next = base64.RawURLEncoding.EncodeToString([]byte(allBuckets + next))
		} else {
			list.Next = ""
		}
		if len(list.Items) > 0 || next == "" {
			return list, nil
		}
	}
}

// scanned is the position in a walk through a namespace that the cursor in After stands for.
func (p *Page) scanned() (string, error) {
	if p.After == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.After)
	position, known := strings.CutPrefix(string(text), allBuckets)
	if err != nil || !known || position == "" {
		return "", &ValidationError{"Page.After", p.After, "must be Next of the page before, of the same list"}
	}
	return position, nil
}

// statesOf reads those of the keys that are buckets.
func (l *Limiter) statesOf(ctx context.Context, keys []backend.Key, now int64) (states []BucketState, err error) {
	buckets := make([]backend.Key, 0, len(keys))
	for _, k := range keys {
		if _, _, ok := schema.BucketOf(k); ok {
			buckets = append(buckets, k)
		}
	}
	if len(buckets) == 0 {
		return nil, nil
	}
	out, odd, err := l.readable(ctx, buckets)
	if err != nil {
		return nil, err
	}
	var skip skipped
	for i := range out {
		s, there, err := l.bucketState(buckets[i], &out[i], now)
		if err = cmp.Or(odd[i], err); err != nil {
			skip.add(1, err)
		} else if there {
			states = append(states, s)
		}
	}
	l.report(ctx, skip)
	return states, nil
}

// bucketState reads a record; false where there is none, or none that would not have been dropped.
func (l *Limiter) bucketState(key backend.Key, r *backend.Record, now int64) (s BucketState, there bool, err error) {
	if !r.Present() || expired(r.Expiry(), now) {
		return s, false, nil
	}
	packed, _ := r.Text(schema.L)
	p, err := l.plans.get(packed)
	if err != nil {
		return s, false, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	s = BucketState{
		Acquires: r.Int64(schema.Acq), Version: r.Int64(schema.Ver), WrittenAt: instant(r.Int64(schema.At)),
		Limits: make([]LimitState, len(p.terms)),
	}
	s.Entity, s.Resource, _ = schema.BucketOf(key)
	for i := range p.terms {
		rate, a := &p.rates[i], arrival(r, i)
		wait, _ := rate.Wait(a, now, 1)
		s.Limits[i] = LimitState{
			Limit: p.terms[i].Limit, Brought: p.terms[i].Brought,
			Available: rate.Available(a, rate.Y(now)), Used: r.Int64(schema.Used(i)), RetryAfter: wait,
		}
	}
	return s, true, nil
}
