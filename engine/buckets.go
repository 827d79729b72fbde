package engine

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/buckets"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// BucketName names a bucket.
type BucketName struct{ Entity, Resource string }

// BucketState is the state of a bucket in the store. Denials leave no trace in it, because a denial writes nothing.
type BucketState struct {
	BucketName
	Acquires  int64        // admitted so far, also those that were rolled back. It decreases if another bucket of a path denies, and if the record is created again
	Version   int64        // the time of creation in ns, plus one for each later write of the record
	WrittenAt time.Time    // by the last writer's clock
	Limits    []LimitState // by name, as of the last write; the configuration may have changed since
}

// LimitState is one limit of a bucket.
type LimitState struct {
	Limit      Limit
	Brought    bool          // given by a request, not configured
	Available  int64         // tokens now; negative in debt
	Used       int64         // tokens consumed and not refunded so far
	RetryAfter time.Duration // until this limit admits one token, without other use; 0 if it does now
}

// BucketQuery asks for one page of buckets.
type BucketQuery struct {
	Entity string // only buckets of this entity; "" for all of the namespace
	Page   Page
}

// BucketPage is one page of buckets.
type BucketPage = List[BucketState]

// allBuckets begins the cursors of a scan of a namespace.
const allBuckets = "buckets\x00"

// Buckets lists buckets and their state, in the store's own order. It writes nothing. Full buckets are missing once the
// store has dropped their expired records. Without Entity it scans all records of the namespace, on DynamoDB the whole
// table; then pages before the last may have fewer items than Page.Size, but at least one. Buckets that cannot be read are
// skipped and reported (EventSkipped). It returns a *ValidationError for bad input, and without Entity also if the store
// cannot scan.
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
	return walk(ctx, l, q.Page, l.admin.BucketsOf(q.Entity), func(it backend.Item, r *backend.Record) (BucketState, bool, error) {
		s, exists, err := l.bucketReader().State(it.Key, r, now)
		return bucketStateFrom(s), exists, err
	})
}

// BucketStates reads buckets by name and writes nothing. It leaves out buckets without a record, which are full, and those
// that cannot be read, which it reports (EventSkipped). It returns a *ValidationError for bad input.
func (l *Limiter) BucketStates(ctx context.Context, names []BucketName) ([]BucketState, error) {
	keys := make([]backend.Key, len(names))
	for i, n := range names {
		if err := checkBucket(n.Entity, n.Resource); err != nil {
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
	states, err := l.bucketReader().States(ctx, keys, now)
	return converted(states, bucketStateFrom), err
}

// everyBucket scans the namespace until it has found at least one bucket.
func (l *Limiter) everyBucket(ctx context.Context, p Page, now int64) (list BucketPage, err error) {
	if l.store.Capabilities().Scan == nil {
		return list, &ValidationError{"store", fmt.Sprintf("%T", l.store.Backend), "cannot list a whole namespace; set Entity to list the buckets of one entity"}
	}
	size, err := p.size()
	if err != nil {
		return list, err
	}
	position, err := p.scanned()
	if err != nil {
		return list, err
	}
	states, next, err := l.bucketReader().Scan(ctx, l.opts.Namespace, position, size, now)
	if err != nil {
		return list, err
	}
	if list.Items = converted(states, bucketStateFrom); next != "" {
		list.Next = base64.RawURLEncoding.EncodeToString([]byte(allBuckets + next))
	}
	return list, nil
}

// scanned decodes the cursor in After: a position in the scan of a namespace.
func (p *Page) scanned() (string, error) {
	if p.After == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.After)
	position, known := strings.CutPrefix(string(text), allBuckets)
	if err != nil || !known || position == "" {
		return "", p.badCursor()
	}
	return position, nil
}

func (l *Limiter) bucketReader() *buckets.Reader {
	return &buckets.Reader{Store: l.store, LimitSets: &l.charger.LimitSets}
}

func bucketStateFrom(s buckets.State) BucketState {
	state := BucketState{BucketName{s.Entity, s.Resource}, s.Acquires, s.Version, s.WrittenAt, make([]LimitState, len(s.Limits))}
	for i, limit := range s.Limits {
		state.Limits[i] = LimitState(limit)
	}
	return state
}
